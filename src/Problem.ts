/** The table of errors that clients get, for the code, the wire and the OpenAPI document. RFC 9457. All rooms import it. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as ErrorReporter from "effect/ErrorReporter"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"

/** The media type of every error body. */
export const problemMediaType = "application/problem+json"

/** An error at one place of a request. `path` is dotted: `2.price` is in the third record of a bulk. */
export interface ProblemError {
  readonly path: string
  readonly message: string
}

interface Definition {
  readonly status: number
  readonly title: string
  readonly members: Schema.Struct.Fields
  /** Clients may send the same request again after so many seconds. */
  readonly retryAfterSeconds?: number
}

const define = <const Fields extends Schema.Struct.Fields>(definition: {
  readonly status: number
  readonly title: string
  readonly members: Fields
  readonly retryAfterSeconds?: number
}) => definition

/** A 503 or 507 of a write carries this when the node certainly did not do the write. */
const certainlyNotDone = { definite: Schema.Literal(true) }

/** Lithair's own problems. The key follows `urn:lithair:problem:` in the problem's type. */
export const problemDefinitions = {
  "invalid-request": define({ status: 400, title: "Invalid request", members: {} }),
  // There is no credential, or a wrong one.
  unauthenticated: define({ status: 401, title: "Not authenticated", members: {} }),
  forbidden: define({ status: 403, title: "Forbidden", members: {} }),
  // A node without `auth` answers only its own host.
  "open-mode": define({ status: 403, title: "Open to this host only", members: {} }),
  "not-found": define({
    status: 404,
    title: "Not found",
    // Present if the node does not know the path; absent if the record is missing.
    members: { served: Schema.optionalKey(Schema.Literal(false)) }
  }),
  "method-not-allowed": define({ status: 405, title: "Method not allowed", members: {} }),
  "request-timeout": define({ status: 408, title: "Request timeout", members: {} }),
  "unique-violation": define({ status: 409, title: "Value already taken", members: {} }),
  "already-exists": define({ status: 409, title: "Id already in use", members: {} }),
  "rule-broken": define({ status: 409, title: "Rule broken", members: {} }),
  "reference-missing": define({ status: 409, title: "Refers to nothing", members: {} }),
  referenced: define({
    status: 409,
    title: "Still referred to",
    // The first record that refers to it, and the field that holds the reference; absent if the caller may not read it.
    members: {
      by: Schema.optionalKey(Schema.Struct({ model: Schema.String, field: Schema.String, id: Schema.String }))
    }
  }),
  "append-only": define({ status: 409, title: "Never changed", members: {} }),
  "command-only": define({ status: 409, title: "Changed by commands only", members: {} }),
  // These speak of an idempotency key. This copy of the request did nothing. If the key expired, an earlier copy may have.
  "operation-closed": define({ status: 409, title: "Operation closed", members: { key: Schema.String } }),
  "operation-expired": define({ status: 409, title: "Operation expired", members: { key: Schema.String } }),
  // The first request with this key has an outcome for good, and what it was is gone.
  "operation-erased": define({ status: 410, title: "Outcome erased", members: { key: Schema.String } }),
  "membership-refused": define({
    status: 409,
    title: "Change of the cluster refused",
    members: { ...certainlyNotDone, reason: Schema.String }
  }),
  // The reaction is elsewhere, or has no room for another parked event.
  "reaction-refused": define({
    status: 409,
    title: "Action on a reaction refused",
    members: { ...certainlyNotDone, reason: Schema.String }
  }),
  // The projection into SQL is elsewhere, or has no room for another parked event.
  "projection-refused": define({
    status: 409,
    title: "Action on a projection refused",
    members: { ...certainlyNotDone, reason: Schema.String }
  }),
  // A follower of changes asks for some that this cluster does not have, or not any more.
  "changes-gone": define({
    status: 410,
    title: "Changes gone",
    // The first entry that can be read, and the path at which to start over.
    members: { oldestIndex: Schema.Int, restart: Schema.String }
  }),
  // An operator erased the data of that version of the record, on all nodes.
  "record-erased": define({ status: 410, title: "Record erased", members: {} }),
  // Entries that are asked for are gone from this node. For a past state of a record: the version with which its history
  // begins here.
  "history-gone": define({
    status: 410,
    title: "History gone",
    members: {
      oldestIndex: Schema.Int,
      oldestVersion: Schema.optionalKey(Schema.Int),
      oldestAt: Schema.optionalKey(Schema.String)
    }
  }),
  "version-conflict": define({
    status: 412,
    title: "Version conflict",
    // Null if there is no such record: the request had If-Match.
    members: { currentVersion: Schema.NullOr(Schema.Int) }
  }),
  // The change needs If-Match, so that it is for what the client saw.
  "precondition-required": define({ status: 428, title: "Precondition required", members: {} }),
  "too-large": define({ status: 413, title: "Request too large", members: {} }),
  "unsupported-media-type": define({ status: 415, title: "Unsupported media type", members: {} }),
  "expectation-failed": define({ status: 417, title: "Expectation failed", members: {} }),
  "key-reused": define({ status: 422, title: "Idempotency key reused", members: { key: Schema.String } }),
  // The holder has so many opaque keys that others would have no room.
  "key-quota": define({ status: 429, title: "Too many idempotency keys", members: certainlyNotDone }),
  // A caller asks for more than its share: the limit says of what. The node did nothing.
  "too-many-requests": define({
    status: 429,
    title: "Too many requests",
    members: { ...certainlyNotDone, limit: Schema.Literals(["address", "principal", "credentials", "streams"]) }
  }),
  "head-too-large": define({ status: 431, title: "Request header fields too large", members: {} }),
  internal: define({ status: 500, title: "Internal error", members: {} }),
  "no-quorum": define({ status: 503, title: "No quorum", members: certainlyNotDone, retryAfterSeconds: 1 }),
  overloaded: define({ status: 503, title: "Overloaded", members: certainlyNotDone, retryAfterSeconds: 1 }),
  draining: define({ status: 503, title: "Draining", members: certainlyNotDone, retryAfterSeconds: 1 }),
  // The keys that signatures are checked with cannot be had now. The credential may be a good one.
  "auth-unavailable": define({
    status: 503,
    title: "Sign-in unavailable",
    members: certainlyNotDone,
    retryAfterSeconds: 1
  }),
  // A node that has just started answers no reads yet. A removed node answers none at all.
  starting: define({ status: 503, title: "Starting", members: certainlyNotDone, retryAfterSeconds: 1 }),
  removed: define({ status: 503, title: "Removed from the cluster", members: certainlyNotDone }),
  "not-caught-up": define({ status: 503, title: "Not caught up", members: {}, retryAfterSeconds: 1 }),
  "too-stale": define({ status: 503, title: "Too stale", members: {}, retryAfterSeconds: 1 }),
  // No Retry-After: the projection stays down until its code is mended or its history is complete again.
  "projection-failed": define({
    status: 503,
    title: "Projection failed",
    members: { projection: Schema.String }
  }),
  "projection-unavailable": define({
    status: 503,
    title: "Projection unavailable",
    members: { projection: Schema.String }
  }),
  // The leader has an older release, and hands leadership on.
  "upgrade-required": define({
    status: 503,
    title: "Upgrade required",
    members: certainlyNotDone,
    retryAfterSeconds: 1
  }),
  // The leader has a newer release than others. It writes the model once all nodes have that release.
  "upgrade-pending": define({ status: 503, title: "Upgrade pending", members: certainlyNotDone, retryAfterSeconds: 1 }),
  // The code of the node does not fit the stored record: it lacks a step from the record's version, or is too old.
  "record-unreadable": define({ status: 503, title: "Record unreadable", members: certainlyNotDone }),
  "unknown-outcome": define({
    status: 504,
    title: "Unknown outcome",
    // Name only the key that the command carried: a retry with any other key would do the write again.
    members: {
      definite: Schema.Literal(false),
      key: Schema.optionalKey(Schema.String),
      operation: Schema.optionalKey(Schema.String)
    }
  }),
  "storage-full": define({ status: 507, title: "Storage full", members: certainlyNotDone })
} satisfies Record<string, Definition>

/** The name of one of Lithair's own problems. */
export type ProblemName = keyof typeof problemDefinitions

/** The members that a problem of this name carries beside its detail. */
export type ProblemMembers<Name extends ProblemName> = Schema.Struct.Type<(typeof problemDefinitions)[Name]["members"]>

/** The members that any problem may carry. */
export interface CommonMembers {
  readonly errors?: ReadonlyArray<ProblemError>
  /** The position of the failing operation in a transaction. */
  readonly opIndex?: number
}

/** What a rule denied: an action on a model or on the administration, or running a command. */
export interface Denial {
  readonly of: string
  readonly action: string
}

/** An error for a client. A handler that fails with it answers the request. The wire carries only these fields: no cause, no stack. */
export class Problem extends Data.TaggedError("Problem")<{
  readonly kind: string
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly members: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
  /** If a rule denied the caller something: what. Clients do not see it. */
  readonly denial?: Denial
}> {
  override get message(): string {
    return this.detail
  }
  override get [ErrorReporter.ignore](): boolean {
    return this.status < 500
  }
  [HttpServerRespondable.symbol]() {
    return Effect.succeed(toResponse(this))
  }
}

/**
 * Makes a problem of the table.
 *
 * @example
 * ```ts
 * problem("version-conflict", "Product is at version 3, not 2", { currentVersion: 3 })
 * ```
 */
export const problem = <Name extends ProblemName>(
  name: Name,
  detail: string,
  members: ProblemMembers<Name> & CommonMembers
): Problem => {
  const definition: Definition = problemDefinitions[name]
  const headers: Record<string, string> =
    definition.retryAfterSeconds === undefined ? {} : { "retry-after": String(definition.retryAfterSeconds) }
  return new Problem({
    kind: name,
    status: definition.status,
    title: definition.title,
    detail,
    members: { ...members },
    headers
  })
}

/** Makes a 400 that lists the wrong places. */
export const invalidRequest = (detail: string, errors: ReadonlyArray<ProblemError> = []): Problem =>
  problem("invalid-request", detail, errors.length === 0 ? {} : { errors })

/** Makes a 404. */
export const notFound = (detail: string): Problem => problem("not-found", detail, {})

/** Makes a 401, with the challenge that RFC 9110 §11.6.1 asks for. */
export const unauthenticated = (detail: string): Problem =>
  withHeaders(problem("unauthenticated", detail, {}), { "www-authenticate": 'Bearer realm="lithair"' })

/** Makes a 404 for a path that this node does not know. Another node may know it, as in a rolling upgrade. */
export const notServed = (detail: string): Problem => problem("not-found", detail, { served: false })

/** Makes a 405. `Allow` lists the verbs that the path knows (required by RFC 9110 §15.5.6). */
export const methodNotAllowed = (method: string, allow: ReadonlyArray<string>): Problem => {
  const plain = problem("method-not-allowed", `This path does not take ${method}: use ${allow.join(", ")}`, {})
  return new Problem({ ...fieldsOf(plain), headers: { allow: allow.join(", ") } })
}

/** Makes a 422. */
export const keyReused = (key: string): Problem =>
  problem("key-reused", "Another request has used this idempotency key: send a new key", { key })

/** Makes the problem of a rule or command error that the application has named. */
export const declaredProblem = (declared: {
  readonly kind: string
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly members?: Readonly<Record<string, unknown>>
}): Problem => new Problem({ ...declared, members: declared.members ?? {}, headers: {} })

/** Adds headers to the answer of a problem. */
export const withHeaders = (met: Problem, headers: Readonly<Record<string, string>>): Problem =>
  new Problem({ ...fieldsOf(met), headers: { ...met.headers, ...headers } })

/** Says what a rule denied, for the node's own count and log. */
export const withDenial = (met: Problem, denial: Denial): Problem => new Problem({ ...fieldsOf(met), denial })

/** Says the same problem in other words. */
export const withDetail = (met: Problem, detail: string): Problem => new Problem({ ...fieldsOf(met), detail })

/** Replaces members of a problem, or adds them. */
export const withMembers = (met: Problem, members: Readonly<Record<string, unknown>>): Problem =>
  new Problem({ ...fieldsOf(met), members: { ...met.members, ...members } })

/** Adds the position of the operation that failed. */
export const atOperation = (met: Problem, opIndex: number): Problem => withMembers(met, { opIndex })

/** Moves a problem to one part of a request: prefixes the paths of its errors with `place`. */
export const within = (met: Problem, place: string): Problem => {
  const errors = (met.members.errors ?? [{ path: "", message: met.detail }]) as ReadonlyArray<ProblemError>
  const placed = errors.map(({ message, path }) => ({ path: path === "" ? place : `${place}.${path}`, message }))
  return new Problem({ ...fieldsOf(met), members: { ...met.members, errors: placed } })
}

const fieldsOf = (met: Problem) => ({
  kind: met.kind,
  status: met.status,
  title: met.title,
  detail: met.detail,
  members: met.members,
  headers: met.headers,
  ...(met.denial === undefined ? {} : { denial: met.denial })
})

/** The JSON body. The five standard members come last, so that no extension can replace one. */
export const toJson = (met: Problem): Readonly<Record<string, unknown>> => ({
  ...met.members,
  type: `urn:lithair:problem:${met.kind}`,
  status: met.status,
  title: met.title,
  detail: met.detail
})

/** Makes the HTTP response of a problem. */
export const toResponse = (met: Problem): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(toJson(met), {
    status: met.status,
    contentType: problemMediaType,
    headers: met.headers
  })

/**
 * Answers a request with the problem of the error that its handler failed or died with. The library's error classes
 * use it as a method, so that the derived API and an application's own routes answer alike.
 */
export const answerBy = (met: Problem): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.succeed(toResponse(met))

/** The symbol under which error classes have that method. */
export const responds = HttpServerRespondable.symbol
