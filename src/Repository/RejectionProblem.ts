/** Why a command was not done, as the problem that a client meets. Pure. docs/http.md, "Problems". */
import type { Any as Command } from "../Command/Declaration.ts"
import { problemOfDeclared } from "../Command/DeclaredProblem.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import {
  atOperation,
  declaredProblem,
  invalidRequest,
  keyReused,
  notFound,
  type Problem,
  problem,
  within
} from "../Problem.ts"

/** What a rejection alone does not tell of itself. */
export interface Asked {
  /** The command's name in its entry: of a bulk an operation is a place, of all else it has a position. */
  readonly name?: string
  /** Those among which the one is that declares the error: they know its status, and what it says of itself. */
  readonly commands?: ReadonlyArray<Command>
}

/** The problem of a refused command; `key` is the idempotency key that it came with, if any. */
export const problemOfRejection = (
  rejection: Rejection,
  key: string | undefined,
  { commands = [], name }: Asked = {}
): Problem => {
  const met = describeRejection(rejection, key, commands)
  const { operation } = rejection
  if (operation === undefined) return met
  return name === "Bulk" ? within(met, String(operation)) : atOperation(met, operation)
}

const describeRejection = (
  rejection: Rejection,
  key: string | undefined,
  commands: ReadonlyArray<Command>
): Problem => {
  switch (rejection._tag) {
    case "InvalidRequest":
      return invalidRequest("The data does not fit the model", rejection.errors)
    case "NotFound":
      return notFound(`There is no ${rejection.model} ${rejection.id ?? ""}`.trim())
    case "AlreadyExists":
      return problem("already-exists", `${rejection.model} ${rejection.id} exists already`, {})
    case "UniqueViolation":
      return problem("unique-violation", `Another ${rejection.model} has this ${rejection.field}`, {
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
        errors: [{ path: rejection.field, message: `names no ${rejection.target}` }]
      })
    case "Referenced": {
      const { by, id, model } = rejection
      return problem("referenced", `${model} ${id} is referred to by ${by.model} ${by.id}`, { by })
    }
    case "VersionConflict":
      return problem("version-conflict", describeConflict(rejection.currentVersion), {
        currentVersion: rejection.currentVersion
      })
    case "TooLarge":
      return problem("too-large", `One write holds at most ${rejection.max} ${rejection.limit}`, {})
    case "UpgradeRequired":
      return problem("upgrade-required", `${rejection.model} is newer than the code of the leader`, { definite: true })
    case "UnknownCommand":
      return problem("upgrade-required", `The leader's code is too old for the command ${rejection.command}`, {
        definite: true
      })
    case "Declared":
      return problemOfDeclared(
        commands.find(({ name }) => name === rejection.command),
        rejection
      )
    case "CommandFailed":
      return problem(
        "internal",
        `The command ${rejection.command} failed and did nothing: the leader's log says more`,
        {}
      )
    case "KeyReused":
      return keyReused(key ?? "")
    case "KeyClosed":
      return problem("operation-closed", "This idempotency key was closed: no request with it is done", {
        key: key ?? ""
      })
    case "KeyExpired":
      return problem("operation-expired", "What became of the first request with this key can no longer be told", {
        key: key ?? ""
      })
    case "KeysExhausted":
      return problem("overloaded", "Too many idempotency keys are remembered: try again later", { definite: true })
  }
}

/** Of a text that names nothing no more is said than helps to find the mistake. */
const shownMax = 200

const describeConflict = (currentVersion: number | null): string =>
  currentVersion === null ? "There is no such record" : `The record is at version ${currentVersion}`
