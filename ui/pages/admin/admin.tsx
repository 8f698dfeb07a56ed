import { useTop } from "../../shell/top";
import { Invites } from "./invites";

/** What only administrators see. */
export function AdminPage() {
  useTop({ crumbs: [{ text: "Admin" }] }, []);
  return (
    <div class="panels">
      <header>
        <h1 tabIndex={-1}>Admin</h1>
        <p>Who may use this server</p>
      </header>
      <Invites />
    </div>
  );
}
