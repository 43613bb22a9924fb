/**
 * Decides who is admitted to the administration, and as what: an operator, who may change the cluster, or a viewer, who
 * may look at it. docs/access.md, "Operators".
 */
import { Effect, Option } from "effect"
import type { HttpServerRequest } from "effect/http"
import { hasRole, type Principal } from "../Access/Caller.ts"
import { type Denial, type Problem, problem, unauthenticated, withDenial, withDetail } from "../Problem.ts"
import type { Admitted } from "../Raft/node/Administration.ts"
import { outcomeOf } from "../Raft/node/Settle.ts"
import { isSecret } from "../Raft/peers/Secret.ts"
import { notOfThisHost } from "../Raft/peers/ThisHost.ts"
import type { TokenSource } from "./AdminToken.ts"
import type { Authentication } from "./Authentication.ts"
import type { Visit } from "./Visit.ts"

/** What a route of the administration asks of its caller. An operator is a viewer too. */
export type Role = "viewer" | "operator"

/** The roles by which principals are admitted. */
export const roleNames: Readonly<Record<Role, string>> = { viewer: "lithair:viewer", operator: "lithair:operator" }

/** Somebody who may change the cluster. */
export interface Operator {
  readonly role: "operator"
  /** The id of the principal, or what admitted the caller instead. It stands in the audit log. */
  readonly who: string
  /** What the leader is told. */
  readonly admitted: Admitted
}

/** Somebody who may look at the cluster. */
export interface Viewer {
  readonly role: "viewer"
  readonly who: string
}

/** What admits callers to one server of a node. */
export interface Known {
  /** The cluster's secret, if it has one. */
  readonly secret: string | undefined
  /** The token of this node's operators, if it has one. Then programs of its own host need a credential too. */
  readonly token: TokenSource | undefined
  /** How callers sign in, if rules hold. Where none hold, everybody whom the node answers may look. */
  readonly authentication: Authentication["Service"] | undefined
  /** Fails unless the credential of an operator counts in the cluster now: this node may lag behind a revocation. */
  readonly confirm: (operator: Principal) => Effect.Effect<void, Problem>
  /** Whether the server listens on a unix socket, which programs of this host alone can open. */
  readonly isUnixSocket: boolean
}

/** The parts of a request that tell who sends it. */
export interface Sender extends Pick<HttpServerRequest.HttpServerRequest, "headers" | "method" | "peerAddress"> {
  readonly visit: Visit | undefined
}

/**
 * Finds out who sends a request to a route that asks for this role. Fails with 401 if the caller must show a credential, or
 * shows a bad one, and with 403 if the caller lacks the role, or no credential would help.
 */
export const admit: {
  (known: Known, sender: Sender, role: "operator"): Effect.Effect<Operator, Problem>
  (known: Known, sender: Sender, role: Role): Effect.Effect<Operator | Viewer, Problem>
} = (known: Known, sender: Sender, role: Role) =>
  Effect.mapError(found(known, sender, role), (met) =>
    met.status === 401 || met.status === 403 ? withDenial(met, denials[role]) : met
  ) as Effect.Effect<Operator, Problem>

/** An operator, or also a viewer where the role is that. */
const found = (known: Known, sender: Sender, role: Role): Effect.Effect<Operator | Viewer, Problem> =>
  Effect.gen(function* () {
    const { authentication, isUnixSocket, secret, token } = known
    const accepted = acceptedBy(known)
    const spellings = bearerOf(sender.headers.authorization)
    if (secret !== undefined && spellings.some((each) => isSecret(each, secret))) return operatorBy.secret
    if (token !== undefined && spellings.length > 0 && (yield* token.holds(spellings))) return operatorBy.token
    if (authentication !== undefined) {
      const caller = yield* Effect.mapError(outcomeOf(authentication.begin(sender)), (met) =>
        met.kind === "unauthenticated" ? withDetail(met, `${met.detail}. ${accepted}`) : met
      )
      if (caller._tag === "Principal") {
        const admitted = yield* byRole(caller, role)
        if (role === "operator") yield* known.confirm(caller)
        return admitted
      }
    } else if (sender.headers.authorization !== undefined) {
      return yield* unauthenticated(`The bearer token is not good here. ${accepted}`)
    }
    if (token !== undefined) return yield* unauthenticated(accepted)
    const why =
      notOfThisHost(isUnixSocket ? { headers: sender.headers, peerAddress: thisHost } : sender) ?? viaProxy(sender)
    if (why === undefined) return operatorBy["this-host"]
    if (authentication === undefined && role === "viewer") return anybody
    const local = `Only programs on this host may do this without a credential, and this request comes from none: ${why}`
    return yield* secret === undefined && authentication === undefined
      ? problem("forbidden", `${local}. ${accepted}`, {})
      : unauthenticated(`${local}. ${accepted}`)
  })

const byRole = (caller: Principal, role: Role): Effect.Effect<Operator | Viewer, Problem> => {
  if (hasRole(caller, roleNames.operator)) {
    return Effect.succeed({ role: "operator", who: caller.id, admitted: "role" })
  }
  return role === "viewer" && hasRole(caller, roleNames.viewer)
    ? Effect.succeed({ role: "viewer", who: caller.id })
    : Effect.fail(problem("forbidden", `This needs the role ${roleNames[role]}`, {}))
}

/** What is denied to those who are not admitted. */
const denials: Readonly<Record<Role, Denial>> = {
  viewer: { of: "_admin", action: "view" },
  operator: { of: "_admin", action: "operate" }
}

/** A listed proxy speaks for others, also one of this host that adds no header. */
const viaProxy = ({ visit }: Sender): string | undefined =>
  visit?.address?.isProxy === true ? "it comes through a trusted proxy" : undefined

const thisHost = Option.some("127.0.0.1")

const anybody: Viewer = { role: "viewer", who: "anonymous" }

const operatorBy: Readonly<Record<Exclude<Admitted, "proof" | "role">, Operator>> = {
  "this-host": { role: "operator", who: "this host", admitted: "this-host" },
  secret: { role: "operator", who: "the cluster's secret", admitted: "secret" },
  token: { role: "operator", who: "the admin token", admitted: "token" }
}

/** The spellings of a bearer token (RFC 6750): some runtimes read a header's bytes as Latin-1, and it may hold other letters. */
const bearerOf = (authorization: string | undefined): ReadonlyArray<string> => {
  const [, token] = /^bearer +(\S.*)$/i.exec(authorization ?? "") ?? []
  return token === undefined ? [] : [token, Buffer.from(token, "latin1").toString("utf8")]
}

/** Names the credentials that the node takes, for the person who asked. */
const acceptedBy = ({ authentication, secret, token }: Known): string => {
  const taken = [
    ...(token === undefined ? [] : ["the admin token"]),
    ...(secret === undefined ? [] : ["the cluster's secret"]),
    ...(authentication === undefined ? [] : [`a credential with the role ${roleNames.viewer} or ${roleNames.operator}`])
  ]
  return taken.length === 0
    ? "This cluster has no secret: start the nodes with one"
    : `Send ${taken.join(", or ")}: "Authorization: Bearer …"`
}
