/** Reaches the nodes of a running cluster over HTTP, by a port or a unix socket: which ones, with which credential, and what their refusals mean. */
import { Config, Effect, Option, Redacted, Result, Schema, type Stream } from "effect"
import { Argument, Flag } from "effect/cli"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { readWholeFile } from "../EventStore/Files.ts"
import { CommandFailed } from "./Exit.ts"
import { clientOf, socketOrigin, socketPathOf } from "./SocketClient.ts"

/** The nodes to ask, in this order until one answers. */
export const nodes = Argument.String("url").pipe(
  Argument.withDescription(
    "The node, as http://127.0.0.1:8081, or the unix socket of its operators, as unix:/run/shop/admin.sock; several separated by commas. LITHAIR_NODES by default"
  ),
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
    Flag.withDescription(
      "A file that holds the admin token, the cluster's secret, or an API key of an operator. LITHAIR_TOKEN_FILE by default"
    ),
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
  // The first line: a token file of a node may hold two while one replaces the other.
  const [token = ""] = new TextDecoder().decode(bytes).trim().split("\n")
  if (token.trim() === "") return yield* new CommandFailed({ message: `"${tokenFile.value}" is empty`, exit: "usage" })
  return token.trim()
})

/** What a problem says that this file reads. `definite` is there if the node knows whether it did what was asked. */
const Refusal = Schema.fromJsonString(
  Schema.Struct({ detail: Schema.String, definite: Schema.optionalKey(Schema.Boolean) })
)

/** What to ask a node for. */
export interface Target {
  readonly method: "GET" | "POST" | "DELETE"
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Schema.Json
}

/** What an answer other than 2xx means for the one who asked. A change that a node did not surely leave undone may be done. */
export const exitOf = (
  status: number,
  { definite, method = "GET" }: { readonly definite?: boolean | undefined; readonly method?: Target["method"] } = {}
): CommandFailed["exit"] => {
  if (status === 401 || status === 403) return "notAllowed"
  if (status === 504) return "unknown"
  if (status < 500) return status === 429 ? "unreachable" : "refused"
  return method === "GET" || definite === true ? "unreachable" : "unknown"
}

/** The bytes of an answer. They fail if the connection ends early. */
export type AnswerBytes = Stream.Stream<Uint8Array, CommandFailed>

/** A node as somebody named it, and how to ask it. */
interface Named {
  readonly name: string
  readonly base: URL
  /** Undefined for the client of the command line. */
  readonly client: HttpClient.HttpClient | undefined
}

const namedBy = (text: string): Named => {
  const socketPath = socketPathOf(text)
  if (socketPath !== undefined) return { name: text, base: new URL(socketOrigin), client: clientOf(socketPath) }
  const base = new URL(/^https?:\/\//.test(text) ? text : `http://${text}`)
  return { name: base.origin, base, client: undefined }
}

const nodesOf = (text: string): Result.Result<ReadonlyArray<Named>, CommandFailed> =>
  Result.try({
    try: () => text.split(",").map(namedBy),
    catch: () =>
      new CommandFailed({ message: `"${text}" is not the URL of a node, nor unix: with a path`, exit: "usage" })
  })

/** Whether no connection was made, so that no node has heard of the request: by the words of the three runtimes. */
const isUnsent = (reason: string): boolean =>
  /ECONNREFUSED|ENOENT|EACCES|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|refused|dns|getaddrinfo|Unable to connect/i.test(
    reason
  )

const attempt = Effect.fnUntraced(function* (node: Named, token: string | undefined, target: Target) {
  const { base, name: nodeName } = node
  const client = node.client ?? (yield* HttpClient.HttpClient)
  const { body, method, path, query = {} } = target
  const url = new URL(path, base)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  const plain = HttpClientRequest.make(method)(url.toString())
  const signed = token === undefined ? plain : HttpClientRequest.bearerToken(plain, token)
  const request = body === undefined ? signed : HttpClientRequest.bodyJsonUnsafe(signed, body)
  const response = yield* Effect.mapError(client.execute(request), (failed) => {
    const reason = reasonOf(failed)
    const isUnknown = method !== "GET" && !isUnsent(reason)
    return new CommandFailed({
      message: isUnknown
        ? `${nodeName} was asked and gave no answer (${reason}): it may have done it`
        : `Cannot reach ${nodeName}: ${reason}`,
      exit: isUnknown ? "unknown" : "unreachable"
    })
  })
  if (response.status >= 200 && response.status < 300) return response
  const text = yield* Effect.orElseSucceed(response.text, () => "")
  const { definite, detail } = Result.getOrElse(Schema.decodeUnknownResult(Refusal)(text), () => ({
    definite: undefined,
    detail: `the node answered ${response.status}`
  }))
  return yield* new CommandFailed({ message: detail, exit: exitOf(response.status, { definite, method }) })
})

/**
 * Asks one node after another until one can answer. Fails with what the node says if it refuses. A change that may be done
 * goes to no second node.
 */
export const ask = Effect.fnUntraced(function* (urls: string, credentials: Credentials, target: Target) {
  const token = yield* tokenOf(credentials)
  const named = yield* Effect.fromResult(nodesOf(urls))
  let failure: CommandFailed | undefined
  for (const node of named) {
    const answered = yield* Effect.result(attempt(node, token, target))
    if (Result.isSuccess(answered)) return answered.success
    failure = answered.failure
    if (failure.exit !== "unreachable") break
  }
  return yield* failure ?? new CommandFailed({ message: "No node is named", exit: "usage" })
})

/** Reads an answer by its schema. `exit` says what is known of the request if that fails. */
export const readAnswer = <A>(
  schema: Schema.Codec<A, unknown>,
  response: HttpClientResponse.HttpClientResponse,
  exit: CommandFailed["exit"] = "refused"
): Effect.Effect<A, CommandFailed> =>
  response.text.pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Schema.fromJsonString(schema))),
    Effect.mapError(
      () => new CommandFailed({ message: "The answer cannot be read: the node is of another release", exit })
    )
  )

/** The deepest cause says most: a failed fetch hides what the system said. */
export const reasonOf = (failed: unknown): string => {
  let reason = failed
  while (reason instanceof Error && reason.cause instanceof Error) reason = reason.cause
  return reason instanceof Error && reason.message !== "" ? reason.message : String(failed)
}
