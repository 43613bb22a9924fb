/** The page at `/` and its script: visitors sign in and buy tickets. */
import { readFileSync } from "node:fs"
import { Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8")

/** No other host has a script here, and no other page shows this one in a frame. */
const headers = {
  "content-security-policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer"
}

/** The page of a node. Its visitors sign in at the issuer, an `http` or `https` origin. */
export const page = (issuer: string) => {
  const html = read("page.html").replace("<html", `<html data-issuer="${new URL(issuer).origin}"`)
  return Layer.mergeAll(
    HttpRouter.add("GET", "/", HttpServerResponse.html(html).pipe(HttpServerResponse.setHeaders(headers))),
    HttpRouter.add(
      "GET",
      "/page.js",
      HttpServerResponse.text(read("page.js"), { contentType: "text/javascript", headers })
    )
  )
}
