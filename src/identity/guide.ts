/** How people and programs get in, for the reference page: Markdown. */
export const signInGuide = `## Signing in

Every request carries a personal access token or a session's access token as \`Authorization: Bearer …\`, or, in a browser, the cookies of its session.
\`POST /api/auth/email\` sends a code, \`POST /api/auth/verify\` trades it for a session, \`POST /api/auth/refresh\` renews it: a refresh token works once, and
using it again ends the session. Who makes and delivers the code is up to the server's provider (\`OA_AUTH_PROVIDER_MODE\`):

| provider | set | code |
| --- | --- | --- |
| \`local\` without mail (default) | nothing | none: \`POST /api/auth/email\` answers 503, the operator hands out links with \`openagents ops login-link\` |
| \`local\` with mail | \`OA_MAIL_URL\` (\`smtp://user:pass@host:587\`, \`smtps://…\`, \`resend://API_KEY\`), \`OA_MAIL_FROM\` | six digits by mail, to known people, invited addresses and \`OA_AUTH_LOCAL_SIGNUP_DOMAINS\`; anybody else gets the same answer and no mail |
| \`workos\` (default when both keys are set) | \`WORKOS_CLIENT_ID\`, \`WORKOS_API_KEY\` | mailed by WorkOS (Magic Auth); no redirect URI is needed |
| \`mock\`, never with \`APP_ENV=production\` | \`OA_AUTH_MOCK_MAGIC_CODE\` | \`123456\` unless set |

When it fails: **422 on \`email\`**: the provider could not send; its status is in the server's log (\`oa.outbound\`). **422 on \`code\`**: wrong, used, ten times
wrong, or older than ten minutes; ask for a new one. **429**: wait \`Retry-After\` seconds. **503**: the provider is not configured. **401** later on:
refresh once, then sign in again. **419**: a page of another origin, or \`APP_URL\` is not the address in the browser. The README says more about each provider.`;
