/**
 * Serves one request of `node:http` directly, before Effect's router: one callback from its place among the requests to
 * its answer, without a fiber. It carries out the steps of the endpoint's handler (Handler.ts), as Mount.ts does on any
 * router, with the same answers.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { anonymous } from "../Access/Caller.ts"
import { overloaded, type Place } from "../Http/Admission.ts"
import { bodySizeMaxBytes, parseJson, refusalOfBody, smallMaxBytes, tooLarge, unreadable } from "../Http/Body.ts"
import type { Find, MountedEndpoint } from "../Http/DirectRoutes.ts"
import { isUnread, refusalOf } from "../Http/Etiquette.ts"
import { type Answer, type ReadBody, type Step, stepOf, withValue } from "../Http/Handler.ts"
import type { Head } from "../Http/Head.ts"
import { openRefusal } from "../Http/OpenMode.ts"
import * as RequestSpan from "../Http/RequestSpan.ts"
import { splitTarget } from "../Http/Routing.ts"
import type { Visit } from "../Http/Visit.ts"
import type { Problem } from "../Problem.ts"
import type { Forget } from "../Raft/node/Settle.ts"
import { type Span, traceparentOf } from "../Tracing.ts"
import { inTurnsFrom } from "./ReadingTurns.ts"
import { dropRest } from "./Refusal.ts"

/** Requests with these methods have no body that means anything. */
const bodiless: ReadonlyArray<string | undefined> = ["GET", "DELETE"]
const direct: ReadonlyArray<string | undefined> = [...bodiless, "POST", "PUT", "PATCH"]

/** Leaves the connection of a request unread while this says that the node is crowded. */
type Rest = (isCrowded: () => boolean) => void

/** Serves a request if it is for a direct endpoint. Returns false, with nothing done, if the router must serve it. */
export const serveDirectly = (find: Find, request: IncomingMessage, response: ServerResponse, rest: Rest): boolean => {
  const { headers, method = "", url = "" } = request
  if (!direct.includes(method) || url.charCodeAt(0) !== 0x2f) return false
  if (bodiless.includes(method) && mayHaveBody(request)) return false
  const endpoint = find(method, url)
  if (endpoint === undefined || endpoint.member.isRemoved()) return false
  if (!endpoint.pattern.test(splitTarget(url).path)) return false
  const head = headers as Head["headers"]
  if (refusalOf({ headers: head, source: request }) !== undefined) return false
  if (endpoint.serving.isOpen && openRefusal(url, head) !== undefined) return false
  const { admission, edge } = endpoint.serving
  const visit = edge.begin({ method, headers: head, socket: request.socket.remoteAddress })
  visit.route = endpoint.route
  visit.isShared = true
  const refusal = edge.refusal(visit)
  const place = refusal === undefined ? admission.enter() : undefined
  const asked = { method, url: url.slice(endpoint.prefix.length), headers: head, caller: anonymous, visit }
  const exchange = new DirectExchange(endpoint, asked, place, request, response, rest)
  if (place === undefined) exchange.refuse(refusal ?? overloaded)
  else exchange.begin(place)
  return true
}

const mayHaveBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0"

/** Whether the node takes no more, or has many requests under way and is behind with the answers of some. */
const isCrowded = ({ member, serving: { admission } }: MountedEndpoint): boolean => {
  if (admission.isRefusing()) return true
  if (admission.underWay() < inTurnsFrom) return false
  const node = member.node()
  return node !== undefined && node.appliedIndex() < node.core.commitIndex
}

/** Leaves the connection of a request unread while the node is crowded. Nothing of the request is held meanwhile. */
const restIfCrowded = (endpoint: MountedEndpoint, request: IncomingMessage, rest: Rest): void => {
  if (!isCrowded(endpoint)) return
  const crowded = (): boolean => isCrowded(endpoint)
  if (request.complete) rest(crowded)
  else request.once("end", () => rest(crowded))
}

/** One request until its answer. */
class DirectExchange {
  private isOver = false
  /** The connection goes on after a refusal, although the body was not read. */
  private isKept = false
  /** Stops the step that waits. */
  private forget: Forget | undefined
  private readonly endpoint: MountedEndpoint
  /** The span of the request, if it is traced. */
  private readonly span: Span | undefined
  private readonly head: Head & { readonly visit: Visit }
  private readonly place: Place | undefined
  private readonly request: IncomingMessage
  private readonly response: ServerResponse
  private readonly rest: Rest

  constructor(
    endpoint: MountedEndpoint,
    head: Head & { readonly visit: Visit },
    place: Place | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    rest: Rest
  ) {
    this.endpoint = endpoint
    const { tracing } = endpoint.serving
    this.span = tracing === undefined ? undefined : RequestSpan.begin(tracing, head, endpoint.route)
    this.head = this.span === undefined ? head : { ...head, trace: traceparentOf(this.span.span) }
    this.place = place
    this.request = request
    this.response = response
    this.rest = rest
  }

  begin(place: Place): void {
    this.response.on("close", () => {
      if (this.end()) this.endpoint.serving.edge.end(this.head.visit, 0)
    })
    place.turn(() => this.go(() => this.endpoint.handler(this.head)))
  }

  /**
   * Refuses the request before it begins. A small body comes with its head: to read it costs a fraction of the new
   * connection that the client would open otherwise.
   */
  refuse(met: Problem): void {
    const { head, request } = this
    this.isKept = Number(head.headers["content-length"] ?? Number.NaN) <= smallMaxBytes
    this.answer(met)
    if (this.isKept) request.resume()
  }

  /** Frees the place, with the answer or when the client has gone. */
  private end(status?: number): boolean {
    if (this.isOver) return false
    this.isOver = true
    if (this.span !== undefined) RequestSpan.end(this.span, status)
    this.forget?.()
    this.forget = undefined
    this.place?.leave()
    return true
  }

  /** Does one step after another until one waits. A defect answers with 500. */
  private go(next: () => Step): void {
    if (this.isOver) return
    try {
      this.forget = undefined
      this.perform(next())
    } catch (defect) {
      this.answer(this.endpoint.answering.died(defect))
    }
  }

  private perform(step: Step): void {
    switch (step._tag) {
      case "Answer":
      case "Problem":
        this.answer(step)
        return
      case "ReadBody":
        this.read(step)
        return
      case "AwaitTurn":
        // A wait may have ended within a turn of the node, which must be over before the large answer begins.
        queueMicrotask(() =>
          this.place?.turn(() => this.go(this.endpoint.serving.admission.hasRoom() ? step.next : () => overloaded))
        )
        return
      case "Await": {
        let isSettled = false
        const forget = step.begin((exit) => {
          isSettled = true
          this.go(() => stepOf(step, exit))
        })
        if (!isSettled) this.forget = forget
      }
    }
  }

  /** Reads the body within its limits, and goes on in its turn: megabytes of JSON take a while. */
  private read(step: ReadBody): void {
    const { endpoint, head, place, request } = this
    const refusal = refusalOfBody(head.headers, { ...step, sizeMaxBytes: bodySizeMaxBytes })
    // A request that broke off while it waited for its turn reports nothing any more.
    if (refusal !== undefined || request.destroyed) {
      this.answer(refusal ?? unreadable)
      return
    }
    let bytes: Buffer | undefined
    let parts: Array<Buffer> | undefined
    let size = 0
    const stop = (met: Problem): void => {
      end()
      this.answer(met)
    }
    const onData = (part: Buffer): void => {
      size += part.length
      const full = size > bodySizeMaxBytes ? tooLarge(bodySizeMaxBytes) : place?.reserve(part.length)
      if (full !== undefined) stop(full)
      else if (bytes === undefined) bytes = part
      else if (parts === undefined) parts = [bytes, part]
      else parts.push(part)
    }
    const onEnd = (): void => {
      end()
      const whole = parts === undefined ? (bytes ?? Buffer.alloc(0)) : Buffer.concat(parts)
      place?.turn(() => this.go(() => withValue(parseJson(whole), (data) => step.next({ data, bytes: whole }))))
    }
    const onError = (): void => stop(unreadable)
    const end = (): void => {
      come()
      this.forget = undefined
      request.off("data", onData)
      request.off("end", onEnd)
      request.off("error", onError)
    }
    const come = endpoint.serving.admission.bodies.await({ isLeaving: endpoint.member.isStopping, giveUp: stop })
    this.forget = end
    request.on("data", onData)
    request.on("end", onEnd)
    request.on("error", onError)
  }

  private answer(met: Answer | Problem): void {
    const { answering, serving } = this.endpoint
    const { visit } = this.head
    if (!this.end(met.status)) return
    restIfCrowded(this.endpoint, this.request, this.rest)
    if (this.response.destroyed) {
      serving.edge.end(visit, 0)
      return
    }
    try {
      this.send(answering.finish(met, visit))
      serving.edge.end(visit, this.response.statusCode)
    } catch (defect) {
      // The runtime refuses a header. Whatever the client has read so far is no answer.
      answering.died(defect)
      this.response.destroy()
    }
  }

  private send({ body, headers, status }: Answer): void {
    const { request, response } = this
    const isRefused = status >= 400 && !this.isKept && isUnread({ headers: this.head.headers, source: request })
    const lines: Array<string> = []
    for (const name in headers) lines.push(name, headers[name] as string)
    if (isRefused && headers.connection === undefined) lines.push("connection", "close")
    response.writeHead(status, lines)
    this.endpoint.serving.admission.count(body?.length ?? 0, response)
    // ASCII is the same in both encodings, and Latin-1 is written as it is.
    const encoding = headers["content-length"] === String(body?.length) ? "latin1" : "utf8"
    if (body === undefined) response.end()
    else if (isRefused) {
      response.write(body, encoding)
      dropRest(request, () => response.end())
    } else response.end(body, encoding)
  }
}
