/** The API reference page: swagger-ui over the document of this very server (http-platform 2.9). Classic script. */

interface SwaggerRequest {
  url: string;
  method: string;
  headers: Record<string, string>;
}

declare const SwaggerUIBundle: {
  (options: Record<string, unknown>): unknown;
  presets: { apis: unknown };
};

const cookie = (name: string): string | undefined =>
  document.cookie
    .split("; ")
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  filter: true,
  tryItOutEnabled: true,
  displayOperationId: true,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  validatorUrl: null,
  requestInterceptor(request: SwaggerRequest) {
    const token = cookie("XSRF-TOKEN");
    if (token && request.method !== "GET") request.headers["x-xsrf-token"] = decodeURIComponent(token);
    return request;
  },
});
