/** Serves `/docs` and `/openapi.json`. Renders each at its first request and keeps it. They load nothing from other hosts. */
import { Effect } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiScalar } from "effect/http-api"
import { answerPage, makePage } from "./CachedPage.ts"
import { type LithairApi, openApiDocument } from "./Openapi.ts"

/**
 * The page's script is inlined, but it knows hosts for fonts, proxies and registries. This policy has the browser keep
 * the script from reaching them; requests that a reader tries out go only to the node.
 */
export const docsPolicy = [
  "default-src 'none'",
  "script-src 'unsafe-inline' 'unsafe-eval'",
  "style-src 'unsafe-inline'",
  "img-src data: blob:",
  "font-src data:",
  "worker-src blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'"
].join("; ")

/** Renders the HTML of `/docs`, some 3 MB with the reader's script. */
export const renderDocs = Effect.fnUntraced(function* (api: LithairApi) {
  const routes = HttpApiScalar.layer(api, { path: "/docs", scalar: { withDefaultFonts: false } })
  const app = yield* HttpRouter.toHttpEffect(routes)
  const request = HttpServerRequest.fromWeb(new Request("http://localhost/docs"))
  const response = yield* Effect.provideService(app, HttpServerRequest.HttpServerRequest, request)
  return yield* Effect.promise(() => HttpServerResponse.toWeb(response).text())
}, Effect.scoped)

/** Makes the routes of both pages. */
export const docsRoutes = Effect.fnUntraced(function* (api: LithairApi) {
  const docs = renderDocs(api).pipe(
    Effect.flatMap((body) =>
      makePage({
        body,
        contentType: "text/html; charset=utf-8",
        headers: { "content-security-policy": docsPolicy, "x-content-type-options": "nosniff" }
      })
    ),
    Effect.orDie
  )
  const document = Effect.suspend(() =>
    makePage({ body: JSON.stringify(openApiDocument(api)), contentType: "application/json" })
  )
  return yield* Effect.forEach([["/docs", docs] as const, ["/openapi.json", document] as const], ([path, render]) =>
    // Uninterruptible: otherwise the cache would keep the interruption of a reader who leaves early.
    Effect.map(Effect.cached(Effect.uninterruptible(render)), (page) =>
      HttpRouter.route(
        "GET",
        path,
        Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
          Effect.map(page, (it) => answerPage(it, request))
        )
      )
    )
  )
})
