/**
 * Decides which requests a route answers: those that sent its path exactly. The router itself matches loosely (case,
 * extra slashes, encoded letters, text after `;`). Then one record would have two addresses, and caches and rules would
 * miss one of them. docs/http.md, "Endpoints". Pure.
 */
import { invariant } from "../Invariant.ts"
import { textId, uuid } from "../Model/Id.ts"
import { invalidRequest, methodNotAllowed, notServed, type Problem } from "../Problem.ts"

/** A path of a node with the verbs that it knows. */
export interface KnownPath {
  /** As the route declares it. */
  readonly path: string
  readonly pattern: RegExp
  readonly methods: ReadonlyArray<string>
}

/** Splits the target of a request into path and query, both still encoded. */
export const splitTarget = (url: string): { readonly path: string; readonly query: string } => {
  const at = url.indexOf("?")
  return at === -1 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at + 1) }
}

/** Refuses a prefix that a route could not have as it is sent, or that would stand in `Location` and `Link` otherwise. */
export const checkPrefix = (prefix = ""): void =>
  invariant(
    /^(\/[A-Za-z0-9_][A-Za-z0-9._~-]*)*$/.test(prefix),
    `"${prefix}" cannot be a prefix: use parts of letters, digits and . _ ~ -, each after a slash, as in /v1, with no slash at the end`
  )

/**
 * The pattern of a route's paths. `:id` stands for a UUID, `:textId` for another id, `:member`, `:reaction`, `:projection` and `:model`
 * for a name, `:record` for the id of a record of any model, `:key` for a key.
 */
export const exactly = (route: string): RegExp => {
  const parts = route.split(/(:id|:textId|:member|:reaction|:projection|:model|:record|:key)/).map((part) => {
    if (part === ":id") return uuid.source.slice(1, -1).replaceAll("a-f", "a-fA-F")
    if (part === ":textId") return textId.source.slice(1, -1)
    return [":member", ":reaction", ":projection", ":model", ":record", ":key"].includes(part)
      ? "[^/]+"
      : part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
  })
  return new RegExp(`^${parts.join("")}$`)
}

/** The known paths of these routes. GET implies HEAD (RFC 9110 §9.1). */
export const knownPaths = (
  routes: ReadonlyArray<{ readonly method: string; readonly path: string }>
): ReadonlyArray<KnownPath> => {
  const methods = new Map<string, Array<string>>()
  for (const { method, path } of routes) {
    methods.set(path, [...(methods.get(path) ?? []), ...(method === "GET" ? ["GET", "HEAD"] : [method])])
  }
  return Array.from(methods, ([path, known]) => ({ path, pattern: exactly(path), methods: known.toSorted() }))
}

/** The problem of a request without a route: unknown path, other verbs only, or a part that the router cannot read. */
export const unanswered = (
  paths: ReadonlyArray<KnownPath>,
  request: { readonly method: string; readonly url: string }
): Problem => {
  const { path } = splitTarget(request.url)
  const known = paths.find(({ pattern }) => pattern.test(path))
  if (known === undefined) return notServed(`There is nothing at ${path.slice(0, shownMax)}`)
  return known.methods.includes(request.method)
    ? invalidRequest("A part of the path is too long, or is not percent-encoded UTF-8")
    : methodNotAllowed(request.method, known.methods)
}

/** Messages quote at most so many characters of an unknown path. */
const shownMax = 200
