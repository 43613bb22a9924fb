/** The requests of the benchmarks to `examples/bank.ts`: they open accounts and transfer money around them. */
import type { Request } from "./Runs.ts"

/** As a client writes it: what `POST /api/accounts` takes. */
const account = { owner: "Ada", balance: "100.00" }

/** So many accounts have money to transfer; those that are opened while it is measured have no part in it. */
const accountsCount = 100

/** To the next account, the one after it, and so on: pairs that are not always the same. */
const distancesMax = 10

/** Opens the accounts, and returns their ids. */
export const openAccounts = async (url: string): Promise<ReadonlyArray<string>> => {
  const response = await fetch(`${url}/api/accounts/_bulk`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(Array.from({ length: accountsCount }, () => ({ ...account, balance: "1000000.00" })))
  })
  if (response.status !== 201) throw new Error(`The accounts were not opened: ${response.status}`)
  const opened = (await response.json()) as ReadonlyArray<{ readonly id: string }>
  return opened.map(({ id }) => id)
}

const post = (url: string, expectedStatus: number, bodies: ReadonlyArray<unknown>): Request => ({
  urls: [url],
  method: "POST",
  bodies: bodies.map((body) => JSON.stringify(body)),
  expectedStatus
})

/** A plain write: one record. */
export const opening = (url: string): Request => post(`${url}/api/accounts`, 201, [account])

/** A batch of records, all or none. */
export const openingMany = (url: string, count: number): Request =>
  post(`${url}/api/accounts/_bulk`, 201, [Array.from({ length: count }, () => account)])

/** A transaction of plain operations that leaves as many events as a transfer: three. */
export const openingThree = (url: string): Request => {
  const create = { op: "create", model: "Account", data: account }
  return post(`${url}/api/_tx`, 200, [{ ops: [create, create, create] }])
}

/** Each account gives as often as it takes, and the same amount: none ever runs out. */
export const transfers = (url: string, ids: ReadonlyArray<string>): Request =>
  post(
    `${url}/api/_commands/transfer`,
    200,
    Array.from({ length: distancesMax }, (_, less) => less + 1).flatMap((distance) =>
      ids.map((from, at) => ({ from, to: ids[(at + distance) % ids.length], amount: "0.01" }))
    )
  )
