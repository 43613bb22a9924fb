/** Shows two lists that stay right, over one stream, and goes on at another node when its node dies. docs/live.md. */

/** The lists of the page, by the ids of their elements. */
const queries = {
  open: "/api/tasks?isDone=eq.false&order=title&limit=20",
  done: "/api/tasks?isDone=eq.true&order=title&limit=20"
}
/** A node says something at least every 15 s. */
const silentMaxMs = 30_000

const status = document.querySelector("#status")
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms))

/** The nodes of the cluster, this page's own first. */
const { nodes } = await (await fetch("/_admin/api/cluster")).json()
const others = nodes.map(({ address }) => `http://${address}`).filter((url) => url !== location.origin)
const urls = [location.origin, ...others]
let at = 0

/** The events of one stream: the name, the id and the data of each. */
async function* eventsOf(response, onBytes) {
  let text = ""
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    onBytes()
    text += part
    const frames = text.split("\n\n")
    text = frames.pop()
    for (const frame of frames) {
      const fields = Object.fromEntries(frame.split("\n").map((line) => line.split(/: ?(.*)/s)))
      yield { event: fields.event, id: fields.id, data: JSON.parse(fields.data ?? "null") }
    }
  }
}

const itemOf = ({ id, record }) => {
  const item = document.createElement("li")
  item.dataset.id = id
  item.textContent = record.title
  item.addEventListener("click", () => change("PATCH", `/api/tasks/${id}`, { isDone: !record.isDone }))
  return item
}

/** Puts a page or a difference into the list of its key: what goes, goes; what comes stands behind its `after`. */
const show = (event, { key, ...data }) => {
  const list = document.getElementById(key)
  const find = (id) => [...list.children].find((item) => item.dataset.id === id)
  if (event === "page") list.replaceChildren(...data.items.map(itemOf))
  if (event !== "diff") return
  for (const id of [...data.remove, ...data.put.map(({ id }) => id)]) find(id)?.remove()
  for (const item of data.put) {
    if (item.after === null) list.prepend(itemOf(item))
    else find(item.after).after(itemOf(item))
  }
}

/** Follows the lists for ever. The id of the last event keeps the next node from showing an older page. */
const follow = async () => {
  let lastId
  for (;;) {
    const node = urls[at]
    const giveUp = new AbortController()
    let timer
    const awaitMore = () => {
      clearTimeout(timer)
      timer = setTimeout(() => giveUp.abort(), silentMaxMs)
    }
    try {
      awaitMore()
      const response = await fetch(`${node}/api/_live`, {
        method: "POST",
        headers: { "content-type": "application/json", ...(lastId === undefined ? {} : { "last-event-id": lastId }) },
        body: JSON.stringify({ queries }),
        signal: giveUp.signal
      })
      if (response.ok) {
        for await (const { data, event, id } of eventsOf(response, awaitMore)) {
          if (event === "end") break
          if (data.key !== undefined) show(event, data)
          lastId = id ?? lastId
          status.textContent = `${node} at ${data.index}`
        }
      }
    } catch {
      // The node has died, or cannot be reached.
    }
    clearTimeout(timer)
    if (urls[at] === node) at = (at + 1) % urls.length
    await pause(200)
  }
}

/** Makes a change once, however often it must be sent. */
const change = async (method, path, body) => {
  const key = crypto.randomUUID()
  for (;;) {
    const node = urls[at]
    try {
      const response = await fetch(node + path, {
        method,
        headers: { "content-type": "application/json", "idempotency-key": key },
        body: JSON.stringify(body)
      })
      if (response.status < 500) return
    } catch {
      if (urls[at] === node) at = (at + 1) % urls.length
    }
    await pause(200)
  }
}

const form = document.querySelector("form")
form.addEventListener("submit", (event) => {
  event.preventDefault()
  change("POST", "/api/tasks", { title: form.title.value, isDone: false })
  form.reset()
})

follow()
