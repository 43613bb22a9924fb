/** The pages about the API, `/docs` and `/openapi.json`: rendered when first asked for, then kept. They need no outside host. */
import { Effect } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiScalar } from "effect/http-api"
import { answerPage, makePage } from "./CachedPage.ts"
import { type LithairApi, openApiDocument } from "./Openapi.ts"

/**
 * The page's script is inlined, but knows of hosts for fonts, proxies and registries. With this policy the browser
 * itself keeps it from reaching any of them; requests that a reader tries out go to the node alone.
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

/** The HTML of `/docs`, some 3 MB: the reader's script is within. */
export const renderDocs = Effect.fnUntraced(function* (api: LithairApi) {
  const routes = HttpApiScalar.layer(api, { path: "/docs", scalar: { withDefaultFonts: false } })
  const app = yield* HttpRouter.toHttpEffect(routes)
  const request = HttpServerRequest.fromWeb(new Request("http://localhost/docs"))
  const response = yield* Effect.provideService(app, HttpServerRequest.HttpServerRequest, request)
  return yield* Effect.promise(() => HttpServerResponse.toWeb(response).text())
}, Effect.scoped)

/** The routes of both pages. */
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
    // Uninterruptible: a reader who leaves early must not be remembered as the page.
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
