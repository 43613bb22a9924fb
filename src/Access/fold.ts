/**
 * Folds a rule with its caller: what remains compares fields with values, as a list's filters do. Pure.
 *
 * The result is a list of branches, and a record fits if it fits one branch. Without branches no record fits, and a
 * branch without conditions fits every record.
 */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import { type Caller, hasRole } from "./Caller.ts"
import type { Rule, Value, Values } from "./Rule.ts"

/** The field has one of the values. No value is null. */
export interface Condition {
  readonly field: string
  readonly values: ReadonlyArray<Schema.Json>
}

/** Conditions that hold together. */
export type Branch = ReadonlyArray<Condition>

/** The branches of a folded rule. */
export type Folded = ReadonlyArray<Branch>

/** The most branches of a rule. */
export const branchesMaxCount = 8

/** The most members of a caller's set. A larger one is an error, and never cut. */
export const setMembersMaxCount = 1_000

/** A set of the caller has more members than a rule may compare with. */
export interface SetTooLarge {
  readonly _tag: "SetTooLarge"
  readonly name: string
}

/** Finds the members of the caller's set. */
export type FindSet = (name: string) => Result.Result<ReadonlyArray<Schema.Json>, SetTooLarge>

const everyone: Folded = [[]]
const none: Folded = []

/** Whether every record fits. */
export const isEveryone = (folded: Folded): boolean => folded.some((branch) => branch.length === 0)

/** Whether no record fits. */
export const isNobody = (folded: Folded): boolean => folded.length === 0

/** Folds a rule with its caller. */
export const fold = (rule: Rule, caller: Caller, findSet: FindSet): Result.Result<Folded, SetTooLarge> => {
  switch (rule._tag) {
    case "Anyone":
      return Result.succeed(everyone)
    case "Nobody":
      return Result.succeed(none)
    case "SignedIn":
      return Result.succeed(caller._tag === "Principal" ? everyone : none)
    case "Is":
      return Result.succeed(hasRole(caller, rule.role) ? everyone : none)
    case "Equals":
      return Result.succeed(condition(rule.field, valueOf(rule.value, caller)))
    case "In":
      return Result.map(valuesOf(rule.values, caller, findSet), (values) => condition(rule.field, values))
    case "Any":
      return Result.map(Result.all(rule.rules.map((each) => fold(each, caller, findSet))), (all) => {
        const branches = all.flat()
        return isEveryone(branches) ? everyone : branches
      })
    case "All":
      return Result.map(Result.all(rule.rules.map((each) => fold(each, caller, findSet))), (all) =>
        all.reduce<Folded>((left, right) => left.flatMap((one) => right.map((other) => [...one, ...other])), everyone)
      )
  }
}

/** Names the records that fit, branch by branch: the members of a set come in any order, and some twice. */
export const namesOf = (folded: Folded): ReadonlyArray<string> =>
  folded.map((branch) => branch.map(nameOfCondition).sort().join("&")).sort()

const nameOfCondition = ({ field, values }: Condition): string =>
  JSON.stringify([field, [...new Set(values.map((value) => JSON.stringify(value)))].sort()])

/** The branches that a rule can have, for any caller. */
export const branchCountOf = (rule: Rule): number => {
  switch (rule._tag) {
    case "Any":
      return rule.rules.reduce((sum, each) => sum + branchCountOf(each), 0)
    case "All":
      return rule.rules.reduce((product, each) => product * branchCountOf(each), 1)
    default:
      return 1
  }
}

/** The sets of fields that the branches of a rule compare, for any caller. A set without fields is no search. */
export const branchFieldsOf = (rule: Rule): ReadonlyArray<ReadonlyArray<string>> => {
  switch (rule._tag) {
    case "Equals":
    case "In":
      return [[rule.field]]
    case "Any":
      return rule.rules.flatMap(branchFieldsOf)
    case "All":
      return rule.rules.reduce<ReadonlyArray<ReadonlyArray<string>>>(
        (left, each) => left.flatMap((one) => branchFieldsOf(each).map((other) => [...one, ...other])),
        [[]]
      )
    default:
      return [[]]
  }
}

const condition = (field: string, values: ReadonlyArray<Schema.Json>): Folded =>
  values.length === 0 ? none : [[{ field, values }]]

const valueOf = (value: Value, caller: Caller): ReadonlyArray<Schema.Json> => {
  switch (value._tag) {
    case "Literal":
      return known(value.value)
    case "Id":
      return caller._tag === "Principal" ? [caller.id] : []
    case "Claim":
      return known(claimOf(value.name, caller))
  }
}

const valuesOf = (
  values: Values,
  caller: Caller,
  findSet: FindSet
): Result.Result<ReadonlyArray<Schema.Json>, SetTooLarge> => {
  switch (values._tag) {
    case "Literals":
      return Result.succeed(values.values.flatMap(known))
    case "Claims": {
      const claim = claimOf(values.name, caller)
      return Result.succeed(Array.isArray(claim) ? claim.flatMap(known) : [])
    }
    case "Set":
      return caller._tag === "Principal"
        ? Result.map(findSet(values.name), (members) => members.flatMap(known))
        : Result.succeed([])
  }
}

const claimOf = (name: string, caller: Caller): Schema.Json =>
  caller._tag === "Principal" && Object.hasOwn(caller.claims, name) ? (caller.claims[name] ?? null) : null

/** The value, unless it is null or no single value. */
const known = (value: Schema.Json): ReadonlyArray<Schema.Json> =>
  value === null || typeof value === "object" ? [] : [value]
