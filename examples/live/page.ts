/** The page at `/` and its script, from this folder: it needs no build step and no other host. */
import { readFileSync } from "node:fs"
import { Layer } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerResponse } from "effect/http"

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8")

/** The nodes of this example are all on this host. An application names the origins of its own nodes. */
const isOfThisHost = (origin: string): boolean => /^http:\/\/(127\.0\.0\.1|localhost):\d+$/.test(origin)

export const page = Layer.mergeAll(
  HttpRouter.add("GET", "/", HttpServerResponse.html(read("page.html"))),
  HttpRouter.add("GET", "/page.js", HttpServerResponse.text(read("page.js"), { contentType: "text/javascript" })),
  // A page whose node has died goes on at another node, which is another origin.
  HttpRouter.middleware(
    HttpMiddleware.cors({
      allowedOrigins: isOfThisHost,
      exposedHeaders: ["lithair-node", "lithair-index", "etag", "retry-after"]
    }),
    { global: true }
  )
)
