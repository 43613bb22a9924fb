/** Completes the answers of a node: it counts them, names the node, and adds the prefix of the mount to their paths. */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import { type Problem, problem, toResponse, withMembers } from "../Problem.ts"
import { type Answer, answerProblem } from "./Handler.ts"
import { addPosition } from "./ResponseHeaders.ts"
import type { Serving } from "./Serving.ts"
import { CurrentVisit, type Visit } from "./Visit.ts"

type Headers = Readonly<Record<string, string>>
type Response = HttpServerResponse.HttpServerResponse

/** Answers for the routes of one mount. */
export interface Answering {
  /** The complete answer of a handler, or of the problem that it met, with the headers of its body. Counts it. */
  readonly finish: (met: Answer | Problem, visit: Visit | undefined) => Answer
  /** Answers with a problem when a handler fails or dies. */
  readonly answered: <R>(handler: Effect.Effect<Response, Problem, R>) => Effect.Effect<Response, never, R>
  /** Logs a defect. Returns the problem to answer with. */
  readonly died: (defect: unknown) => Problem
}

export const make = Effect.fnUntraced(function* (
  member: Member["Service"],
  { answers, audit, edge: { cors } }: Serving["Service"],
  prefix: string
): Effect.fn.Return<Answering> {
  const context = yield* Effect.context<never>()

  /** Adds to the headers of one answer. They are its own, since an object for each step would cost more than the rest. */
  const addTo = (status: number, headers: Record<string, string>, visit: Visit | undefined): Headers => {
    answers.count(status)
    if (visit?.isShared === true) cors?.add(headers, visit.headers.origin)
    if (prefix !== "") movePaths(headers, prefix)
    // The client then opens a connection to another node, instead of losing this one when the server closes.
    if (member.isDraining()) headers.connection = "close"
    // A browser takes an answer for nothing but what it says it is, and no shared cache keeps a caller's data.
    headers["x-content-type-options"] = "nosniff"
    headers["cache-control"] ??= "private, no-cache"
    const node = member.node()
    return addPosition(headers, {
      nodeId: member.self.nodeId,
      leaderId: member.leader(),
      term: node?.core.currentTerm ?? 0,
      index: node?.appliedIndex() ?? 0
    })
  }

  const problemOf = (met: Problem): Problem => (prefix === "" ? met : moveOperation(met, prefix))
  const refuse = (met: Problem, visit: Visit | undefined): void => {
    answers.refuse(noted(met, visit))
    if (met.denial !== undefined) Effect.runForkWith(context)(audit.denied(visit, met.denial, met))
  }
  const log = (defect: unknown) => Effect.logError("A request handler failed with a defect", defect)

  return {
    finish: (met, visit) => {
      if (met._tag === "Problem") refuse(met, visit)
      const answer = met._tag === "Answer" ? met : answerProblem(problemOf(met))
      const { body, contentType, headers, status } = answer
      const described: Record<string, string> = { ...headers }
      if (body !== undefined) {
        described["content-type"] = contentType
        described["content-length"] = String(Buffer.byteLength(body))
      }
      return { _tag: "Answer", status, headers: addTo(status, described, visit), contentType, body }
    },
    answered: (handler) =>
      Effect.flatMap(CurrentVisit, (visit) =>
        handler.pipe(
          Effect.catchTag("Problem", (met) =>
            Effect.sync(() => {
              refuse(met, visit)
              return toResponse(problemOf(met))
            })
          ),
          Effect.catchDefect((defect) => Effect.as(log(defect), toResponse(noted(internal(), visit)))),
          Effect.map((response) =>
            HttpServerResponse.setHeaders(response, addTo(response.status, { ...response.headers }, visit))
          )
        )
      ),
    died: (defect) => {
      Effect.runForkWith(context)(log(defect))
      return internal()
    }
  }
})

/** Tells the edge which problem answers its request. */
const noted = (met: Problem, visit: Visit | undefined): Problem => {
  if (visit !== undefined) visit.problem = met.kind
  return met
}

const internal = () => problem("internal", "The node failed with an internal error: see its log", {})

const moveOperation = (met: Problem, prefix: string): Problem => {
  const { operation } = met.members
  return typeof operation === "string" ? withMembers(met, { operation: prefix + operation }) : met
}

const movePaths = (headers: Record<string, string>, prefix: string): void => {
  const { link, location } = headers
  if (location !== undefined) headers.location = prefix + location
  if (link !== undefined) headers.link = link.replace("</", `<${prefix}/`)
}
