/** How clients speak to the server of a node. The server says it; its address does not. */
import { Context } from "effect"

/** The scheme of the URLs of a node: `https` if its own server speaks TLS. */
export const ServerScheme = Context.Reference<"http" | "https">("lithair/Http/ServerScheme", {
  defaultValue: () => "http"
})
