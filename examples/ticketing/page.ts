/** The page at `/`: a visitor buys a ticket with a token. */
import { HttpRouter, HttpServerResponse } from "effect/http"

const html = `<!doctype html>
<html lang="en">
  <meta charset="utf-8" />
  <title>Tickets</title>
  <h1>Tickets</h1>
  <form>
    <label>Show <input name="show" required /></label>
    <label>Token <input name="token" value="token-of-ada" required /></label>
    <button>Buy</button>
  </form>
  <output></output>
  <script type="module">
    const form = document.querySelector("form")
    form.addEventListener("submit", async (event) => {
      event.preventDefault()
      const { show, token } = Object.fromEntries(new FormData(form))
      const response = await fetch("/tickets", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: "Bearer " + token,
          "idempotency-key": crypto.randomUUID()
        },
        body: JSON.stringify({ showId: show })
      })
      document.querySelector("output").textContent = response.status + " " + (await response.text())
    })
  </script>
</html>
`

export const page = HttpRouter.add("GET", "/", HttpServerResponse.html(html))
