/** The page at `/` and its script, from this folder: it needs no build step and no other host. */
import { readFileSync } from "node:fs"
import { Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8")

export const page = Layer.mergeAll(
  HttpRouter.add("GET", "/", HttpServerResponse.html(read("page.html"))),
  HttpRouter.add("GET", "/page.js", HttpServerResponse.text(read("page.js"), { contentType: "text/javascript" })),
  // A page whose node has died goes on at another node, which is another origin.
  HttpRouter.cors({ exposedHeaders: ["lithair-node", "lithair-index", "etag", "retry-after"] })
)
