/** Plays raw inputs against a node, and reports the node's faults and the input that ended it. */
import { Effect } from "effect"
import { allReady, type TestNode } from "../Processes.ts"
import { converse, type Heard, type Step } from "./Connection.ts"
import { get, type RawInput } from "./Input.ts"

/** Connections at once; more than a runtime's backlog would test that. */
const concurrency = 24
/** How long the answers of the contract may take, on a busy machine too. */
const answerMaxMs = 15_000
/** How often an input is sent until the node takes it: a busy node refuses any request (docs/http.md, "Problems"). */
const attemptsMax = 10
/** How long an input is looked at whose answers are left open. */
const survivedMs = 200

const isMet = (answer: string | undefined, expected: string | RegExp): boolean =>
  answer !== undefined && (typeof expected === "string" ? answer === expected : expected.test(answer))

/** The answers that an input asks for. If the node goes on, it serves the next request on the connection. */
const whole = ({ answers = [], closes, steps }: RawInput): { steps: ReadonlyArray<Step>; answers: typeof answers } =>
  closes === false
    ? { steps: [...steps, { answers: answers.length }, get()], answers: [...answers, "200"] }
    : { steps, answers }

const complaint = (input: RawInput, { answers, end }: Heard): string | undefined => {
  if (input.answers === undefined) return undefined
  const expected = whole(input).answers
  const isRight = answers.length === expected.length && expected.every((each, at) => isMet(answers[at], each))
  // Before an upgraded connection ends, the last frame says why; a reset may follow it.
  const isEnded = end === "closed" || (end === "reset" && answers.includes("101"))
  if (isRight && (input.closes !== true || isEnded)) return undefined
  const asked = `${expected.join(", ")}${input.closes === true ? ", closed" : ""}`
  return `${input.name}: [${answers.join(", ")}] ${end}, and not [${asked}]`
}

/** Sends an input once, and reads what it is answered. */
const say = (node: TestNode, input: RawInput): Effect.Effect<Heard> => {
  const { answers, steps } = whole(input)
  const isOpen = input.answers === undefined
  return converse({
    port: node.port,
    steps,
    isEnough: ({ answers: heard, end }) =>
      !isOpen && heard.length >= answers.length && (input.closes !== true || end !== "open"),
    timeoutMs: isOpen ? survivedMs + pausesMs(steps) : answerMaxMs
  })
}

/** Plays these inputs at once, each on a connection of its own. */
const playAtOnce = (node: TestNode, inputs: ReadonlyArray<RawInput>) =>
  Effect.forEach(
    inputs,
    (input) =>
      say(node, input).pipe(
        Effect.repeat({ times: attemptsMax - 1, while: ({ answers }) => answers.includes("503 overloaded") }),
        Effect.map((heard) => complaint(input, heard))
      ),
    { concurrency }
  ).pipe(Effect.map((complaints) => complaints.filter((each) => each !== undefined)))

const pausesMs = (steps: ReadonlyArray<Step>): number =>
  steps.reduce((sum, step) => {
    if (typeof step !== "object" || step instanceof Uint8Array) return sum
    return sum + ("pauseMs" in step ? step.pauseMs : "deafMs" in step ? step.deafMs : survivedMs)
  }, 0)

/** Whether the node lives, answers, and writes. */
const isWell = (node: TestNode): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const live = yield* node.request("GET", "/livez", { timeoutMs: answerMaxMs })
    const written = yield* node.request("POST", "/api/products", {
      body: { name: "well", price: "1" },
      timeoutMs: answerMaxMs
    })
    return node.isRunning() && live.status === 200 && written.status === 201
  }).pipe(Effect.catch(() => Effect.succeed(false)))

/** Starts the node again that these inputs have ended, and finds one of them that ends it by itself, or with the others. */
const findCulprit = (node: TestNode, inputs: ReadonlyArray<RawInput>): Effect.Effect<string, Error> =>
  Effect.gen(function* () {
    const names = inputs.map(({ name }) => name).join("; ")
    if (inputs.length <= 1) return names
    const half = inputs.slice(0, inputs.length >> 1)
    yield* node.stop("SIGKILL")
    yield* node.start
    yield* allReady([node])
    yield* playAtOnce(node, half)
    return yield* findCulprit(node, (yield* isWell(node)) ? inputs.slice(half.length) : half)
  })

/** Plays all inputs. Gives one line for each fault, with the name of the target. */
export const play = Effect.fnUntraced(function* (target: string, node: TestNode, inputs: ReadonlyArray<RawInput>) {
  const logged = node.output().length
  const wrong = [...(yield* playAtOnce(node, inputs))]
  if (!(yield* isWell(node))) {
    const said = node.output().slice(logged).slice(-600)
    wrong.push(`${yield* findCulprit(node, inputs)}: ends the node, which said: ${said}`)
  }
  if (/(met|failed with) a defect|Uncaught/.test(node.output().slice(logged)))
    wrong.push(`a defect: ${node.output().slice(logged)}`)
  return wrong.map((each) => `${target}: ${each}`)
})
