/** The floor of HTTP: bare `node:http` that reads a small JSON body, parses it, and answers 201 with it and an id. */
import { createServer } from "node:http"

const server = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const given = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())
    const body = JSON.stringify({ id: "00000000-0000-7000-8000-000000000000", ...given })
    const status = request.method === "POST" ? 201 : 200
    response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
    response.end(body)
  })
})
server.listen(Number(process.argv[2]), "127.0.0.1")
process.on("SIGTERM", () => process.exit(0))
