/** One raw connection to a node: it sends exactly these bytes, at these times, and reads the answers. */
import { connect } from "node:net"
import { Effect } from "effect"

/** A step of a client: it sends bytes, waits, ends its half, resets, or stops reading for a while. */
export type Step =
  | string
  | Uint8Array
  | { readonly pauseMs: number }
  /** Waits for this. */
  | { readonly until: Promise<void> }
  | { readonly deafMs: number }
  /** Waits until so many answers have come. */
  | { readonly answers: number }
  | "end"
  | "reset"

/** The answers of a node on one connection, and its end. */
export interface Heard {
  /** Each answer as its status and the name of its problem, as in `400 invalid-request`. */
  readonly answers: ReadonlyArray<string>
  /** How the connection ended; `open` if it had not. */
  readonly end: "open" | "closed" | "reset"
}

/** Takes the bytes of a connection as they come, each once, and notes the answers in them. */
const makeReader = () => {
  const answers: Array<string> = []
  let rest = ""
  /** After a 101, and after bytes that are no answer, nothing is one. */
  let isOver = false
  const take = (bytes: string): void => {
    if (isOver) return
    rest += bytes
    while (rest !== "") {
      const headEnd = rest.indexOf("\r\n\r\n")
      if (headEnd < 0) return
      const head = rest.slice(0, headEnd)
      const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]
      if (status === undefined) {
        isOver = true
        answers.push(`not an answer: ${rest.slice(0, 60)}`)
        return
      }
      const body = bodyOf(head, status, rest.slice(headEnd + 4))
      if (body === undefined) return
      const isProblem = /^content-type: *application\/problem\+json/im.test(head)
      const name = isProblem ? /"type":"urn:lithair:problem:([\w-]+)"/.exec(body.text)?.[1] : undefined
      answers.push(name === undefined ? status : `${status} ${name}`)
      isOver = status === "101"
      rest = isOver ? "" : body.rest
    }
  }
  return { answers, take }
}

const bodyOf = (head: string, status: string, bytes: string): { text: string; rest: string } | undefined => {
  if (status.startsWith("1") || status === "204" || status === "304") return { text: "", rest: bytes }
  if (/^transfer-encoding: *chunked/im.test(head)) {
    const end = bytes.indexOf("\r\n0\r\n\r\n")
    return end < 0 ? undefined : { text: bytes.slice(0, end), rest: bytes.slice(end + 7) }
  }
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
  return bytes.length < length ? undefined : { text: bytes.slice(0, length), rest: bytes.slice(length) }
}

/** Plays the steps, and then reads until it has heard enough, the connection ends, or the time is over. */
export const converse = (options: {
  readonly port: number
  readonly steps: ReadonlyArray<Step>
  readonly isEnough: (heard: Heard) => boolean
  readonly timeoutMs: number
  readonly onConnected?: () => void
}): Effect.Effect<Heard> =>
  Effect.callback<Heard>((resume) => {
    const { isEnough, onConnected, port, steps, timeoutMs } = options
    const { answers, take } = makeReader()
    let end: Heard["end"] = "open"
    let hasPlayed = false
    let noted = (): void => {}
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    const heard = (): Heard => ({ answers, end })
    const finish = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resume(Effect.succeed(heard()))
    }
    const look = (): void => {
      noted()
      if (end !== "open" || (hasPlayed && isEnough(heard()))) finish()
    }
    const timer = setTimeout(finish, timeoutMs)
    socket.on("data", (data) => {
      take(data.toString("latin1"))
      look()
    })
    socket.on("error", () => {
      end = "reset"
    })
    socket.on("end", () => {
      if (end === "open") end = "closed"
      look()
    })
    socket.on("close", () => {
      if (end === "open") end = "closed"
      look()
    })
    const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
    const heardAnswers = (count: number) =>
      new Promise<void>((resolve) => {
        noted = () => {
          if (end !== "open" || answers.length >= count) resolve()
        }
        noted()
      })
    const play = async (): Promise<void> => {
      for (const step of steps) {
        if (step === "end") socket.end()
        else if (step === "reset") socket.resetAndDestroy()
        else if (typeof step === "string") socket.write(step, "latin1")
        else if (step instanceof Uint8Array) socket.write(step)
        else if ("pauseMs" in step) await sleep(step.pauseMs)
        else if ("until" in step) await step.until
        else if ("answers" in step) await heardAnswers(step.answers)
        else {
          socket.pause()
          await sleep(step.deafMs)
          socket.resume()
        }
      }
      hasPlayed = true
      look()
    }
    socket.on("connect", () => {
      onConnected?.()
      void play()
    })
    return Effect.sync(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  })
