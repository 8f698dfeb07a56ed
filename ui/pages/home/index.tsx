import { Chat } from "../thread/chat";

/** `/` and `/chat/{id}`: one component, so that the first message turns one into the other in place (web-ui 7.1). */
export const HomePage = ({ threadId }: Record<string, string>) => <Chat threadId={threadId} />;
