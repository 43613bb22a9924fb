/** Completes the answers of a node: it counts them, names the node, and adds the prefix of the mount to their paths. */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import { type Problem, problem, toResponse, withMembers } from "../Problem.ts"
import { type Answer, answerProblem } from "./Handler.ts"
import { indexHeader } from "./IndexHeader.ts"
import { positionHeaders } from "./ResponseHeaders.ts"
import type { Serving } from "./Serving.ts"

type Headers = Readonly<Record<string, string>>
type Response = HttpServerResponse.HttpServerResponse

/** Answers for the routes of one mount. */
export interface Answering {
  /** The headers of an answer with all that a node adds. Call it once for each answer, since it counts. */
  readonly complete: (status: number, headers: Headers) => Headers
  /** The complete answer of a handler, or of the problem that it met, with the headers of its body. */
  readonly finish: (met: Answer | Problem) => Answer
  /** Answers with a problem when a handler fails or dies. */
  readonly answered: <R>(handler: Effect.Effect<Response, Problem, R>) => Effect.Effect<Response, never, R>
  /** Logs a defect. Returns the problem to answer with. */
  readonly died: (defect: unknown) => Problem
}

export const make = Effect.fnUntraced(function* (
  member: Member["Service"],
  { answers }: Serving["Service"],
  prefix: string
): Effect.fn.Return<Answering> {
  const context = yield* Effect.context<never>()

  const complete: Answering["complete"] = (status, headers) => {
    answers.count(status)
    const node = member.node()
    const index = headers[indexHeader] ?? String(node?.appliedIndex() ?? 0)
    const position = { nodeId: member.self.nodeId, leaderId: member.leader(), term: node?.core.currentTerm ?? 0, index }
    const placed = prefix === "" ? headers : movePaths(headers, prefix)
    return member.isDraining()
      ? // The client then opens a connection to another node, instead of losing this one when the server closes.
        { ...placed, connection: "close", ...positionHeaders(position) }
      : { ...placed, ...positionHeaders(position) }
  }

  const problemOf = (met: Problem): Problem => (prefix === "" ? met : moveOperation(met, prefix))
  const log = (defect: unknown) => Effect.logError("A request handler failed with a defect", defect)

  return {
    complete,
    finish: (met) => {
      const answer = met._tag === "Answer" ? met : answerProblem(problemOf(met))
      const { body, contentType, headers, status } = answer
      const described =
        body === undefined
          ? headers
          : { ...headers, "content-type": contentType, "content-length": String(Buffer.byteLength(body)) }
      return { ...answer, headers: complete(status, described) }
    },
    answered: (handler) =>
      handler.pipe(
        Effect.catchTag("Problem", (met) => Effect.succeed(toResponse(problemOf(met)))),
        Effect.catchDefect((defect) => Effect.as(log(defect), toResponse(internal()))),
        Effect.map((response) => HttpServerResponse.setHeaders(response, complete(response.status, response.headers)))
      ),
    died: (defect) => {
      Effect.runForkWith(context)(log(defect))
      return internal()
    }
  }
})

const internal = () => problem("internal", "The node failed with an internal error: see its log", {})

const moveOperation = (met: Problem, prefix: string): Problem => {
  const { operation } = met.members
  return typeof operation === "string" ? withMembers(met, { operation: prefix + operation }) : met
}

const movePaths = (headers: Headers, prefix: string): Headers => {
  const { link, location } = headers
  if (link === undefined && location === undefined) return headers
  return {
    ...headers,
    ...(location === undefined ? {} : { location: prefix + location }),
    ...(link === undefined ? {} : { link: link.replace("</", `<${prefix}/`) })
  }
}
