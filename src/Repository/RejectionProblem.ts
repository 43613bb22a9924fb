/** Turns a rejection of the machine into the client's problem. Pure. docs/http.md, "Problems". */
import type { Any as Command } from "../Command/Declaration.ts"
import { problemOfDeclared } from "../Command/DeclaredProblem.ts"
import type { RecordUnreadable } from "../Machine/ReadRow.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import {
  atOperation,
  declaredProblem,
  invalidRequest,
  keyReused,
  notFound,
  type Problem,
  problem,
  unauthenticated,
  withDenial,
  within
} from "../Problem.ts"

/** Facts about the request that the rejection itself does not have. */
export interface Asked {
  /** The command's name in its entry. A bulk shows the failing operation as a place in its array, other requests as `opIndex`. */
  readonly name?: string
  /** The declared commands. They know the status and the fields of a declared error. */
  readonly commands?: ReadonlyArray<Command>
}

/** Makes the problem of a refused command. `key` is the idempotency key of the request, if it had one. */
export const problemOfRejection = (
  rejection: Rejection,
  key: string | undefined,
  { commands = [], name }: Asked = {}
): Problem => {
  const met = describeRejection(rejection, key, commands) ?? refusedByLaterRelease
  const { operation } = rejection
  if (operation === undefined) return met
  return name === "Bulk" ? within(met, String(operation)) : atOperation(met, operation)
}

/** A leader of a later release may refuse in a way that this release does not know. Nothing was done. */
const refusedByLaterRelease = problem(
  "upgrade-required",
  "The leader's release refuses this for a reason that this node's release does not know: ask another node",
  { definite: true }
)

/** Returns undefined for a refusal that this release does not know. */
const describeRejection = (
  rejection: Rejection,
  key: string | undefined,
  commands: ReadonlyArray<Command>
): Problem | undefined => {
  switch (rejection._tag) {
    case "InvalidRequest":
      return invalidRequest("The data does not fit the model: see the errors", rejection.errors)
    case "NotFound":
      return notFound(`There is no ${rejection.model} ${rejection.id ?? ""}`.trim())
    case "Unauthenticated":
      return rejection.isSpent === true
        ? unauthenticated("The credential has expired or was revoked: sign in again")
        : deniedBy(rejection, unauthenticated("This needs a credential: sign in"))
    case "Forbidden":
      return deniedBy(rejection, problem("forbidden", `You may not ${rejection.action} ${rejection.of}`, {}))
    case "SetTooLarge":
      return problem("forbidden", `Your set ${rejection.name} has more than ${rejection.max} members`, {})
    case "AlreadyExists":
      return problem("already-exists", `${rejection.model} ${rejection.id} exists already`, {})
    case "UniqueViolation":
      return problem("unique-violation", `Another ${rejection.model} has this ${rejection.field}: use another value`, {
        errors: [{ path: rejection.field, message: "is taken" }]
      })
    case "RuleBroken":
      return declaredProblem({ kind: rejection.rule, status: 409, title: "Rule broken", detail: rejection.message })
    case "CommandOnly":
      return problem("command-only", `${rejection.model} can only be changed by commands`, {})
    case "AppendOnly":
      return problem("append-only", `Records of ${rejection.model} cannot be changed or deleted`, {})
    case "ReferenceMissing":
      return problem("reference-missing", `There is no ${rejection.target} ${rejection.id.slice(0, shownMax)}`, {
        errors: [{ path: rejection.field, message: `No ${rejection.target} has this id` }]
      })
    case "Referenced": {
      const { by, id, model } = rejection
      return by === undefined
        ? problem("referenced", `Another record refers to ${model} ${id}`, {})
        : problem("referenced", `${by.model} ${by.id} refers to ${model} ${id}: delete or change it first`, { by })
    }
    case "VersionConflict":
      return problem("version-conflict", describeConflict(rejection.currentVersion), {
        currentVersion: rejection.currentVersion
      })
    case "TooLarge":
      return problem("too-large", `One write holds at most ${rejection.max} ${rejection.limit}: split it`, {})
    case "UpgradePending":
      return problem(
        "upgrade-pending",
        `Not all nodes have the new version of ${rejection.model} yet: try again after the upgrade`,
        { definite: true }
      )
    case "RecordUnreadable":
      return recordUnreadable(rejection)
    case "UpgradeRequired":
      return problem(
        "upgrade-required",
        rejection.isAskersRelease === true
          ? `This node's release is too old for ${rejection.model}: ask another node, or try again after the upgrade`
          : `The leader's release does not know ${rejection.model} yet: try again after the upgrade`,
        { definite: true }
      )
    case "UnknownCommand":
      return problem(
        "upgrade-required",
        `The leader's release does not know the command ${rejection.command} yet: try again after the upgrade`,
        {
          definite: true
        }
      )
    case "Declared":
      return problemOfDeclared(
        commands.find(({ name }) => name === rejection.command),
        rejection
      )
    case "CommandFailed":
      return problem("internal", `The command ${rejection.command} failed and did nothing: see the leader's log`, {})
    case "KeyReused":
      return keyReused(key ?? "")
    case "KeyClosed":
      return problem(
        "operation-closed",
        "This idempotency key was closed, so the request was not done: send a new key",
        {
          key: key ?? ""
        }
      )
    case "KeyExpired":
      return problem(
        "operation-expired",
        "This copy was not done. An earlier copy with this key may have been done, and its outcome is forgotten: check the data, then send a new key",
        {
          key: key ?? ""
        }
      )
    case "OutcomeErased":
      return problem(
        "operation-erased",
        "The first request with this idempotency key was answered, and its answer held a record that was erased since",
        {
          key: key ?? ""
        }
      )
    case "KeysExhausted":
      return problem("overloaded", "The cluster remembers too many idempotency keys: try again later", {
        definite: true
      })
    case "KeyQuota":
      return problem(
        "key-quota",
        "You have used too many idempotency keys of your own in a day: send keys with a date, which have no quota",
        { definite: true }
      )
  }
}

/** The problem of a stored record that this release cannot read. */
export const recordUnreadable = ({ errors, id, model }: RecordUnreadable): Problem =>
  problem("record-unreadable", `${model} ${id} was stored in a form that this release cannot read: see the errors`, {
    definite: true,
    errors
  })

const deniedBy = ({ action, of }: { readonly of?: string; readonly action?: string }, met: Problem): Problem =>
  of === undefined || action === undefined ? met : withDenial(met, { of, action })

/** Messages quote at most so many characters of an unknown id. */
const shownMax = 200

const describeConflict = (currentVersion: number | null): string =>
  currentVersion === null ? "There is no such record" : `The record is at version ${currentVersion}`
