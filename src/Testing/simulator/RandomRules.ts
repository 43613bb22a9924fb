/** Random rules and readers, and a judge of its own: it reads the rule as it stands, and folds nothing. Pure. */
import { type Anonymous, anonymous, type Principal } from "../../Access/Caller.ts"
import { branchCountOf, branchesMaxCount } from "../../Access/fold.ts"
import { all, any, nobody, type Rule, signedIn, type Value } from "../../Access/Rule.ts"

/** Draws numbers below a bound, and elements of lists. */
export interface Choices {
  readonly below: (bound: number) => number
  readonly pick: <A>(choices: readonly [A, ...ReadonlyArray<A>]) => A
}

/** The fields that rules compare. */
export interface Judged {
  readonly id: string
  readonly ownerId: string | null
  readonly team: string | null
  readonly kind: string
}

/** Somebody who reads and writes. */
export type Reader = Anonymous | Principal

/** The values of the fields that rules compare. */
export const teams = ["t0", "t1", "t2", "t3"] as const
export const kinds = ["k0", "k1", "k2"] as const
/** The ids of principals. */
export const userIds = ["u0", "u1", "u2"] as const

const equals = (field: keyof Judged, value: Value): Rule => ({ _tag: "Equals", field, value })
const literal = (value: string): Value => ({ _tag: "Literal", value })

const leaf = ({ pick }: Choices): Rule =>
  pick<() => Rule>([
    () => equals("ownerId", { _tag: "Id" }),
    () => equals("team", { _tag: "Claim", name: "team" }),
    () => ({ _tag: "In", field: "team", values: { _tag: "Claims", name: "teams" } }),
    () => ({ _tag: "In", field: "team", values: { _tag: "Set", name: "teams" } }),
    () => ({ _tag: "In", field: "team", values: { _tag: "Set", name: "teams" } }),
    () => equals("kind", literal(pick(kinds))),
    () => ({ _tag: "In", field: "kind", values: { _tag: "Literals", values: [pick(kinds), pick(kinds)] } }),
    () => equals("id", literal("i1")),
    () => ({ _tag: "Is", role: "staff" }),
    () => signedIn,
    () => nobody
  ])()

const tree = (random: Choices, depth: number): Rule => {
  if (depth === 0 || random.below(3) === 0) return leaf(random)
  const rules = Array.from({ length: 2 + random.below(2) }, () => tree(random, depth - 1))
  return random.below(3) === 0 ? all(...rules) : any(...rules)
}

/** A rule of at most so many branches as a model may have. */
export const drawRule = (random: Choices): Rule => {
  for (;;) {
    const rule = tree(random, 2)
    if (branchCountOf(rule) <= branchesMaxCount) return rule
  }
}

/** Readers with some roles and claims; the last one has not signed in. */
export const drawReaders = ({ below, pick }: Choices): ReadonlyArray<Reader> => [
  ...userIds.map(
    (id): Reader => ({
      _tag: "Principal",
      id,
      roles: ["staff", "auditor"].filter(() => below(3) === 0),
      claims: {
        ...(below(2) === 0 ? {} : { team: pick([...teams, null]) }),
        ...(below(2) === 0 ? {} : { teams: [pick(teams), null, pick(teams)] })
      }
    })
  ),
  anonymous
]

/** By the id of a user, the teams that it is in. */
export type Sets = ReadonlyMap<string, ReadonlyArray<string>>

/** Whether a rule holds for a reader and a record. */
export const holds = (rule: Rule, reader: Reader, record: Judged, sets: Sets): boolean => {
  const principal = reader._tag === "Principal" ? reader : undefined
  const claim = (name: string): unknown => principal?.claims[name]
  const isSame = (held: unknown, value: unknown): boolean => held !== null && value !== null && held === value
  switch (rule._tag) {
    case "Anyone":
      return true
    case "Nobody":
      return false
    case "SignedIn":
      return principal !== undefined
    case "Is":
      return principal?.roles.includes(rule.role) === true
    case "Equals": {
      const { value } = rule
      const of = value._tag === "Literal" ? value.value : value._tag === "Id" ? principal?.id : claim(value.name)
      return isSame(record[rule.field as keyof Judged], of)
    }
    case "In": {
      const { values } = rule
      const held = record[rule.field as keyof Judged]
      const all =
        values._tag === "Literals"
          ? values.values
          : values._tag === "Claims"
            ? claim(values.name)
            : principal === undefined
              ? []
              : sets.get(principal.id)
      return Array.isArray(all) && all.some((value) => isSame(held, value))
    }
    case "Any":
      return rule.rules.some((each) => holds(each, reader, record, sets))
    case "All":
      return rule.rules.every((each) => holds(each, reader, record, sets))
  }
}
