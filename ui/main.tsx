import "./styles/main.css";
import { render } from "preact";
import { boot } from "./boot";
import { Layout } from "./shell/layout";

const shell = document.getElementById("oa-shell");
if (shell) {
  boot(() => {
    shell.textContent = ""; // the skeleton of index.html
    render(<Layout />, shell);
  });
}
