/** `lithair key`: makes, lists and revokes API keys of a running cluster. docs/access.md, "API keys". */
import { Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { keysPath } from "../Http/KeyRoutes.ts"
import { MadeKey, ShownKey } from "../Repository/ApiKeys.ts"
import { confirm, yes } from "./Confirm.ts"
import { ask, credentials, nodes, readAnswer } from "./Connect.ts"
import { CommandFailed } from "./Exit.ts"
import { facts, json, print, table } from "./Output.ts"

const rolesOf = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((role) => role.trim())
    .filter((role) => role !== "")

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** Reads `90d`, `12h`, `30m` or `45s`. */
const secondsOf = (text: string): Effect.Effect<number, CommandFailed> => {
  const [, count, unit = ""] = /^([1-9]\d{0,8})([smhd])$/.exec(text) ?? []
  return count === undefined
    ? Effect.fail(
        new CommandFailed({ message: `--expires: "${text}" is not a time like 90d, 12h or 30m`, exit: "usage" })
      )
    : Effect.succeed(Number(count) * (units[unit] ?? 1))
}

const create = Command.make(
  "create",
  {
    name: Argument.String("name").pipe(Argument.withDescription("Whom or what the key is for")),
    nodes,
    roles: Flag.String("roles").pipe(
      Flag.withDescription(
        "Its roles, separated by commas; lithair:viewer and lithair:operator are those of operators"
      ),
      Flag.withDefault("")
    ),
    expires: Flag.String("expires").pipe(
      Flag.withDescription("How long it lives: 90d, 12h, 30m; by default until it is revoked"),
      Flag.optional
    ),
    json,
    ...credentials
  },
  Effect.fnUntraced(function* ({ expires, json, name, nodes, roles, ...credentials }) {
    const life = Option.isNone(expires) ? {} : { expiresInSeconds: yield* secondsOf(expires.value) }
    const body = { name, roles: rolesOf(roles), ...life }
    const response = yield* ask(nodes, credentials, { method: "POST", path: keysPath, body })
    const made = yield* readAnswer(MadeKey, response, "unknown")
    // The key alone, so that a shell can keep it: KEY=$(lithair key create …).
    yield* print(json, made, made.key)
  })
).pipe(
  Command.withDescription("Make an API key and print it, this once"),
  Command.withExamples([
    { command: "lithair key create ada --roles staff > ada.key", description: "A key for a caller of the API" },
    { command: "lithair key create prometheus --roles lithair:viewer", description: "A key that reads /metrics" }
  ])
)

const list = Command.make(
  "list",
  { nodes, json, ...credentials },
  Effect.fnUntraced(function* ({ json, nodes, ...credentials }) {
    const response = yield* ask(nodes, credentials, { method: "GET", path: keysPath })
    const { items } = yield* readAnswer(Schema.Struct({ items: Schema.Array(ShownKey) }), response)
    const rows = items.map(({ createdAt, expiresAt, id, name, roles }) => {
      return [id, name, roles.join(","), createdAt, expiresAt ?? "never"]
    })
    yield* print(
      json,
      items,
      items.length === 0 ? "There are no keys" : table(["id", "name", "roles", "created", "expires"], rows)
    )
  })
).pipe(Command.withDescription("List the API keys, without their secrets"))

const revoke = Command.make(
  "revoke",
  {
    id: Argument.String("id").pipe(Argument.withDescription("The id of the key, as list shows it")),
    nodes,
    yes,
    json,
    ...credentials
  },
  Effect.fnUntraced(function* ({ id, json, nodes, yes, ...credentials }) {
    if (!/^[a-z0-9]{16}$/.test(id)) {
      return yield* new CommandFailed({
        message: `"${id.slice(0, 16)}…" is no id of a key: see lithair key list`,
        exit: "usage"
      })
    }
    yield* confirm(yes, `This revokes the key ${id} for good: nothing more is decided for it.`)
    yield* ask(nodes, credentials, { method: "DELETE", path: `${keysPath}/${id}` })
    yield* print(json, { revoked: id }, facts([["revoked", id]]))
  })
).pipe(Command.withDescription("Revoke an API key"))

/** The command. */
export const key = Command.make("key").pipe(
  Command.withDescription("Make, list and revoke the API keys of a running cluster"),
  Command.withSubcommands([create, list, revoke])
)
