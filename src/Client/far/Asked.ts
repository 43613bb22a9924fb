/** A request of this client and its answer, as plain data before any schema. Pure. */

import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { declaredProblem, type Problem, problemMediaType } from "../../Problem.ts"

/** A request to a node. */
export interface Asked {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  readonly path: string
  readonly query?: ReadonlyArray<readonly [name: string, value: string]>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** The request is about a node's own data, so no other node can answer it. */
  readonly isOfOneNode?: boolean
}

/** The answer of a node. `body` is undefined if it is empty or not JSON. */
export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: unknown
}

/** Makes the HTTP request to the node at this URL. */
export const requestOf = (node: string, asked: Asked): HttpClientRequest.HttpClientRequest => {
  const { headers = {}, method, path, query = [] } = asked
  const search = new URLSearchParams(query.map(([name, value]) => [name, value])).toString()
  const url = `${node.replace(/\/+$/, "")}${path}${search === "" ? "" : `?${search}`}`
  const request = HttpClientRequest.setHeaders(HttpClientRequest.make(method)(url), headers)
  const text = textOf(asked)
  return text === undefined ? request : HttpClientRequest.bodyText(request, text, contentTypeOf(method))
}

/** The body as it is sent; undefined if there is none. */
export const textOf = ({ body }: Pick<Asked, "body">): string | undefined =>
  body === undefined ? undefined : JSON.stringify(body)

const contentTypeOf = (method: Asked["method"]): string =>
  method === "PATCH" ? "application/merge-patch+json" : "application/json"

/** Parses the text of a body as JSON. */
export const bodyOf = (text: string): unknown =>
  Result.getOrUndefined(Result.try({ try: (): unknown => JSON.parse(text), catch: () => undefined }))

const decodeProblem = Schema.decodeUnknownOption(
  Schema.StructWithRest(
    Schema.Struct({ type: Schema.String, status: Schema.Int, title: Schema.String, detail: Schema.String }),
    [Schema.Record(Schema.String, Schema.Unknown)]
  )
)

const urn = "urn:lithair:problem:"

/** Reads the problem in an answer; undefined if the answer has none, or does not come from a node. */
export const problemOf = ({ body, headers, status }: Answered): Problem | undefined => {
  if (status < 400 || headers["content-type"]?.startsWith(problemMediaType) !== true) return undefined
  const decoded = Option.getOrUndefined(decodeProblem(body))
  if (decoded === undefined || !decoded.type.startsWith(urn)) return undefined
  const { detail, status: _, title, type, ...members } = decoded
  return declaredProblem({ kind: type.slice(urn.length), status, title, detail, members })
}
