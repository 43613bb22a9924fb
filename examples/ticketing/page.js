/** Signs in and out, and buys tickets. The session is a cookie that no script can read: docs/access.md. */

const find = (id) => document.getElementById(id)
const say = (text) => {
  document.querySelector("output").textContent = text
}

/** Asks this node. The browser sends the cookie along. */
const ask = async (method, path, { body, headers } = {}) => {
  const response = await fetch(path, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const text = await response.text()
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) }
}

const element = (name, text, onClick) => {
  const made = document.createElement(name)
  made.textContent = text
  if (onClick !== undefined) made.addEventListener("click", onClick)
  return made
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Buys a ticket. Without a certain answer it asks again: a copy of the request with the same key buys no second one. */
const buy = async (showId) => {
  const headers = { "idempotency-key": crypto.randomUUID() }
  const send = () => ask("POST", "/tickets", { body: { showId }, headers }).catch(() => ({ status: 0 }))
  const isOpen = ({ status }) => status === 0 || status >= 500
  let answer = await send()
  for (let copies = 1; copies <= 20 && isOpen(answer); copies++) {
    say("No certain answer yet: asking again")
    await pause(1000)
    answer = await send()
  }
  const { body, status } = answer
  if (isOpen(answer)) return say("Nobody can tell yet whether it is yours: look at your tickets later")
  say(status === 200 ? "It is yours" : `Not bought: ${body.detail ?? body._tag}`)
  await show()
}

const signOut = async () => {
  const { body, status } = await ask("DELETE", "/session")
  // 401: the session was over before.
  say(status < 300 || status === 401 ? "Signed out" : `Not signed out: ${body.detail}`)
  await show()
}

const issuer = document.documentElement.dataset.issuer
const signIn = () => {
  sessionStorage.setItem("signing-in", "yes")
  location.assign(`${issuer}/sign-in?back=${encodeURIComponent(`${location.origin}/`)}`)
}

/** Shows who the visitor is, the shows, and the visitor's tickets. */
const show = async () => {
  const session = await ask("GET", "/session")
  const isSignedIn = session.status === 200
  find("visitor").replaceChildren(
    ...(isSignedIn
      ? [`You are ${session.body.name} `, element("button", "Sign out", signOut)]
      : [element("button", "Sign in", signIn)])
  )
  const shows = await ask("GET", "/manage/api/shows?order=title&limit=20")
  find("shows").replaceChildren(
    ...shows.body.items.map(({ id, seats, title }) => {
      const item = element("li", `${title}, ${seats} seats `)
      if (isSignedIn && seats > 0) item.append(element("button", "Buy", () => buy(id)))
      return item
    })
  )
  const tickets = isSignedIn ? await ask("GET", "/tickets") : { body: [] }
  find("tickets").replaceChildren(...tickets.body.map(({ holder, id }) => element("li", `${id} for ${holder}`)))
}

// The issuer has sent the browser back, with a token. It becomes a session, and leaves the address bar.
const token = location.hash.slice(1)
if (token !== "") {
  history.replaceState(null, "", "/")
  // A link with somebody else's token must not sign anybody in: only a tab that has just asked for one takes it.
  const isAsked = sessionStorage.getItem("signing-in") !== null
  sessionStorage.removeItem("signing-in")
  if (isAsked) {
    // A request shows one credential, so a cookie from before goes first.
    await ask("DELETE", "/session")
    const { body, status } = await ask("POST", "/session", { headers: { authorization: `Bearer ${token}` } })
    if (status !== 200) say(`Not signed in: ${body.detail}`)
  }
}
await show()
