/** The bank: accounts that only transfers change, a statement of each and an audit of all, on three nodes. See bank/README.md. */
import { Layer } from "effect"
import { Lithair } from "lithair"
import { run } from "lithair/node"
import { audit } from "./bank/audit.ts"
import { statement } from "./bank/statement.ts"
import { Account, Transaction, transfer } from "./models.ts"
import { transferLayer } from "./transfer.ts"

const application = { models: [Account, Transaction], commands: [transfer], projections: [statement, audit] }

const [ada, bob] = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"]

const post = (url: string, body: unknown) =>
  `curl -X POST ${url} -H 'content-type: application/json' -d '${JSON.stringify(body)}'`

run(Layer.provide(Lithair.layerHttp(application), transferLayer), {
  directory: ".lithair/bank",
  path: "/api/accounts",
  curls: [
    post("http://127.0.0.1:8081/api/accounts/_bulk", [
      { id: ada, owner: "Ada", balance: "100" },
      { id: bob, owner: "Bob", balance: "0" }
    ]),
    post("http://127.0.0.1:8082/api/_commands/transfer", { from: ada, to: bob, amount: "30" }),
    `curl 'http://127.0.0.1:8083/api/_projections/statement?key=${ada}'`,
    "curl http://127.0.0.1:8081/api/_projections/audit"
  ]
})
