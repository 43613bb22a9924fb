/** Reaches the nodes of a running cluster over HTTP: which ones, with which secret, and what their refusals mean. */
import { Config, Effect, Option, Redacted, Result, Schema, type Stream } from "effect"
import { Argument, Flag } from "effect/cli"
import { HttpClient, HttpClientRequest } from "effect/http"
import { readWholeFile } from "../EventStore/Files.ts"
import { CommandFailed } from "./Exit.ts"

/** The nodes to ask, in this order until one answers. */
export const nodes = Argument.String("url").pipe(
  Argument.withDescription("The node, as http://127.0.0.1:8081; several separated by commas. LITHAIR_NODES by default"),
  Argument.withFallbackConfig(Config.String("LITHAIR_NODES"))
)

/** How to prove that one may administer the cluster. */
export const credentials = {
  secret: Flag.Redacted("secret").pipe(
    Flag.withDescription("The cluster's secret. Not needed on the node's own host. LITHAIR_SECRET by default"),
    Flag.withFallbackConfig(Config.Redacted("LITHAIR_SECRET")),
    Flag.optional
  ),
  tokenFile: Flag.String("token-file").pipe(
    Flag.withDescription("A file that holds the cluster's secret. LITHAIR_TOKEN_FILE by default"),
    Flag.withFallbackConfig(Config.String("LITHAIR_TOKEN_FILE")),
    Flag.optional
  )
}

/** The values of {@link credentials}. */
export interface Credentials {
  readonly secret: Option.Option<Redacted.Redacted<string>>
  readonly tokenFile: Option.Option<string>
}

const tokenOf = Effect.fnUntraced(function* ({ secret, tokenFile }: Credentials) {
  if (Option.isSome(secret)) return Redacted.value(secret.value)
  if (Option.isNone(tokenFile)) return undefined
  const bytes = yield* Effect.mapError(
    readWholeFile(tokenFile.value),
    ({ message }) => new CommandFailed({ message, exit: "usage" })
  )
  return new TextDecoder().decode(bytes).trim()
})

const Detail = Schema.fromJsonString(Schema.Struct({ detail: Schema.String }))

/** What an answer other than 2xx means for the one who asked. */
export const exitOf = (status: number): CommandFailed["exit"] => {
  if (status === 401 || status === 403) return "notAllowed"
  if (status === 504) return "unknown"
  return status >= 500 || status === 429 ? "unreachable" : "refused"
}

/** The bytes of an answer. They fail if the connection ends early. */
export type AnswerBytes = Stream.Stream<Uint8Array, CommandFailed>

const unreachable = (message: string) => new CommandFailed({ message, exit: "unreachable" })

const urlsOf = (text: string): Result.Result<ReadonlyArray<URL>, CommandFailed> =>
  Result.try({
    try: () => text.split(",").map((each) => new URL(/^https?:\/\//.test(each) ? each : `http://${each}`)),
    catch: () => new CommandFailed({ message: `"${text}" is not the URL of a node`, exit: "usage" })
  })

/** Sends a GET to the first node that answers. Fails with what the node says if it refuses. */
export const get = Effect.fnUntraced(function* (
  urls: string,
  credentials: Credentials,
  target: { readonly path: string; readonly query?: Readonly<Record<string, string>> }
) {
  const token = yield* tokenOf(credentials)
  const client = yield* HttpClient.HttpClient
  const attempts = (yield* Effect.fromResult(urlsOf(urls))).map((base) => {
    const url = new URL(target.path, base)
    for (const [name, value] of Object.entries(target.query ?? {})) url.searchParams.set(name, value)
    const request = HttpClientRequest.get(url.toString())
    return client
      .execute(token === undefined ? request : HttpClientRequest.bearerToken(request, token))
      .pipe(Effect.mapError((failed) => unreachable(`Cannot reach ${base.origin}: ${reasonOf(failed)}`)))
  })
  const response = yield* Effect.firstSuccessOf(attempts)
  if (response.status >= 200 && response.status < 300) return response
  const text = yield* Effect.orElseSucceed(response.text, () => "")
  const detail = Result.match(Schema.decodeUnknownResult(Detail)(text), {
    onSuccess: (decoded) => decoded.detail,
    onFailure: () => `the node answered ${response.status}`
  })
  return yield* new CommandFailed({ message: detail, exit: exitOf(response.status) })
})

/** The deepest cause says most: a failed fetch hides what the system said. */
export const reasonOf = (failed: unknown): string => {
  let reason = failed
  while (reason instanceof Error && reason.cause instanceof Error) reason = reason.cause
  return reason instanceof Error && reason.message !== "" ? reason.message : String(failed)
}
