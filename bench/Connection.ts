/**
 * One kept connection of a load generator: bytes of a request out, the status of its response in, one at a time. It
 * costs a fraction of `node:http`'s client, so that on a small machine the servers have the processor.
 */
import { connect, type Socket } from "node:net"
import { parseResponse } from "./Response.ts"

/** The status of a request that got no answer. */
export const noAnswer = 0

/** Takes the status of an answer, and how long its server asks the client to wait. */
export type OnAnswer = (status: number, retryAfterMs: number) => void

const empty: Buffer = Buffer.alloc(0)

export class Connection {
  private socket: Socket | undefined
  private received = empty
  private answer: OnAnswer | undefined
  private readonly host: string
  private readonly port: number

  constructor(origin: URL) {
    this.host = origin.hostname
    this.port = Number(origin.port)
  }

  /** Resumes once it is connected, or has failed: then the first request connects again. */
  async open(): Promise<void> {
    this.socket ??= this.dial()
    const { socket } = this
    if (!socket.connecting) return
    await new Promise<void>((resume) => {
      socket.once("connect", resume)
      socket.once("close", () => resume())
    })
  }

  /** Sends one request and connects first if need be. Call it again only after `onAnswer` was called. */
  ask(request: Buffer, onAnswer: OnAnswer): void {
    this.answer = onAnswer
    this.socket ??= this.dial()
    this.socket.write(request)
  }

  close(): void {
    this.socket?.destroy()
  }

  private dial(): Socket {
    const socket = connect({ host: this.host, port: this.port, noDelay: true })
    socket.on("data", (bytes: Buffer) => this.receive(socket, bytes))
    socket.on("error", () => socket.destroy())
    socket.on("close", () => {
      if (this.socket !== socket) return
      this.forget()
      this.end(noAnswer, 0)
    })
    return socket
  }

  private receive(socket: Socket, bytes: Buffer): void {
    this.received = this.received.length === 0 ? bytes : Buffer.concat([this.received, bytes])
    const response = parseResponse(this.received)
    if (response === undefined) return
    this.received = this.received.subarray(response.length)
    if (response.isLast) {
      this.forget()
      socket.destroy()
    }
    this.end(response.status, response.retryAfterMs)
  }

  private forget(): void {
    this.socket = undefined
    this.received = empty
  }

  private end(status: number, retryAfterMs: number): void {
    const { answer } = this
    this.answer = undefined
    answer?.(status, retryAfterMs)
  }
}
