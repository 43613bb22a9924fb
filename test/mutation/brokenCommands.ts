/** For each promise of a command the line that ensures it, what becomes of it when somebody breaks it, and the tests that must then fail. Data only. */
import type { NamedTest, Noticed } from "../Mutation.ts"

const inFile =
  (file: string) =>
  (title: string): NamedTest => ({ file: `test/${file}`, title })

const handlers = inFile("Command/handlers.test.ts")
const laws = inFile("Command/laws.test.ts")
const procedures = inFile("Machine/Procedure.test.ts")

export const promises: Readonly<Record<string, Noticed>> = {
  "read your writes": {
    file: "src/Machine/Overlay.ts",
    find: "overlay.changed.push(evolveEvent(tables, at.index, event))",
    replace: "void evolveEvent",
    tests: [handlers("reads what it wrote, through every way of reading")]
  },
  "nothing is left of what is refused": {
    file: "src/Machine/Overlay.ts",
    find: "tables: Tables.draft(tables),",
    replace: "tables,",
    tests: [
      procedures("that is refused leaves nothing, though it had changed records before it was (docs/guarantees.md)")
    ]
  },
  "a copy is told the success": {
    file: "src/Machine/decide.ts",
    find: `if (value !== undefined) return { _tag: "Accepted", value }`,
    replace: "",
    tests: [
      procedures(
        "with a key is done once, and its copy is answered the same, by a node that replayed the log too (C17)"
      )
    ]
  },
  "a bound holds whatever is caught": {
    file: "src/Machine/Procedure.ts",
    find: "if (Result.isFailure(done) && endsCall(done.failure)) end = done.failure",
    replace: "",
    tests: [procedures("reads and operations together are counted, and what is past the bound ends the call")]
  },
  "an older leader decides nothing of a command": {
    file: "src/Machine/decide.ts",
    find: `  _tag === "UnknownCommand" ||\n`,
    replace: "",
    tests: [procedures("that this node's code does not know is refused, and not remembered: newer code may do it")]
  },
  "a command may do what a request may not": {
    file: "src/Machine/decide.ts",
    find: `Overlay.make(tables, at, "command")`,
    replace: `Overlay.make(tables, at, "request")`,
    tests: [
      laws(
        "all or nothing: what succeeded is there, what failed, died or was a copy left nothing; inside, each step saw those before it"
      )
    ]
  },
  "an unknown field is refused": {
    file: "src/Model/Decoder.ts",
    find: `errors: "all", onExcessProperty: "error"`,
    replace: `errors: "all", onExcessProperty: "ignore"`,
    tests: [
      handlers(
        "is not run on a payload that its schema does not take: every wrong field is named, unknown ones included"
      )
    ]
  },
  "the clock is the log's": {
    file: "src/Command/Procedures.ts",
    find: "Context.add(Clock.Clock, clockAt(access)),",
    replace: "",
    tests: [
      handlers(
        "has the time of the entry, ids and randomness from the transaction: the same circumstances, the same outcome"
      )
    ]
  },
  "what is drawn is the transaction's": {
    file: "src/Command/Procedures.ts",
    find: "Context.add(Random.Random, randomOf(access.newId)),",
    replace: "",
    tests: [
      handlers(
        "has the time of the entry, ids and randomness from the transaction: the same circumstances, the same outcome"
      )
    ]
  },
  "what throws outside of the handler costs its command alone": {
    file: "src/Command/Procedures.ts",
    find: "Cause.isFailReason(first) ? rejectionOf(first.error) : failed(exit.cause)",
    replace: "Cause.isFailReason(first) ? rejectionOf(first.error) : Result.succeed(null)",
    tests: [handlers("that throws after a change costs its command alone, and the log tells which")]
  },
  "what a handler leaves behind has no part in its transaction": {
    file: "src/Command/Running.ts",
    find: "fiber.addObserver(onEnd)",
    replace: "",
    tests: [handlers("that leaves a fiber behind, which has no part in the transaction any more once it has ended")]
  },
  "a deposed leader applies the entry of the log and not its own": {
    file: "src/Machine/OwnEntries.ts",
    find: "entry.payload === payload ? entry.transaction : undefined",
    replace: "entry.transaction",
    tests: [
      inFile("Machine/OwnEntries.test.ts")("applies what the log holds, if another leader's entry took the index")
    ]
  },
  "what deciding throws costs its command alone": {
    file: "src/Machine/Machine.ts",
    find: "if (decided.failure instanceof InvariantViolation) throw decided.failure",
    replace: "throw decided.failure",
    tests: [
      procedures("that throws costs its command alone, which is told to the node; a broken invariant is no such thing")
    ]
  },
  "a closed transaction changes nothing": {
    file: "src/Command/TransactionOver.ts",
    find: "isClosed = true",
    replace: "isClosed = false",
    tests: [handlers("that keeps the transaction finds it closed: a fiber that outlives its command changes nothing")]
  },
  "what waits does not go on later": {
    file: "src/Command/Running.ts",
    find: "if (exit === undefined) fiber.interruptUnsafe()",
    replace: "",
    tests: [handlers("that waits is interrupted, so that nothing of it runs later")]
  }
}
