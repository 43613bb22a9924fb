/** Sends bodies that are too large in the ways of a runtime's ordinary clients, and prints each status and header: one line of JSON. */
import { request } from "node:http"

const [, , url = ""] = process.argv
const sizes = [1_500_000, 12_000_000]
const headers = { "content-type": "application/json" }

const byFetch = async (body: BodyInit): Promise<string> => {
  // Bodies that are streams ask for it, and not all types know it.
  const init = { method: "POST", headers, body, duplex: "half" }
  const response = await fetch(url, init)
  const { type } = (await response.json()) as { readonly type: string }
  return `${response.status} ${type}`
}

const inParts = (size: number): ReadableStream<Uint8Array> => {
  let left = size
  return new ReadableStream({
    pull: (controller) => {
      if (left <= 0) return controller.close()
      controller.enqueue(new Uint8Array(Math.min(left, 65_536)).fill(97))
      left -= 65_536
    }
  })
}

const byRequest = (size: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", headers: { ...headers, "content-length": size } }, (response) => {
      let text = ""
      response.on("data", (data: Buffer) => {
        text += data.toString()
      })
      response.on("end", () =>
        resolve(`${response.statusCode} ${JSON.parse(text).type} ${response.headers.connection}`)
      )
    })
    sent.on("error", reject)
    sent.end(Buffer.alloc(size, "a"))
  })

const said: Array<string> = []
for (const size of sizes) {
  said.push(await byFetch(new Uint8Array(size).fill(97)), await byFetch(inParts(size)), await byRequest(size))
}
console.log(JSON.stringify(said))
process.exit(0)
