/**
 * Nodes of the line `access`: one model of orders, which is open or guarded. `BENCH_ACCESS` says how: `open`, `signed-in` (who
 * has signed in reads all), or `owner` (each reads and changes what is his own). `BENCH_JWKS` has the keys of tokens.
 */
import { Schema } from "effect"
import * as jose from "jose"
import { Access, Lithair } from "lithair"
import * as Model from "lithair/model"
import { run } from "lithair/node"
import { audience, issuer } from "./Tokens.ts"

const { BENCH_ACCESS: how = "open", BENCH_JWKS: jwks } = process.env

class Order extends Model.Class<Order>("Order")(
  {
    id: Model.id(Schema.String.check(Schema.isUUID())),
    ownerId: Model.owner,
    name: Model.replicate(Schema.NonEmptyString),
    cents: Schema.Int
  },
  {
    access: Access.rules(({ row, who }) => {
      const own = how === "owner" ? row.ownerId.eq(who.id) : Access.signedIn
      return { read: own, create: Access.signedIn, update: own, delete: own }
    })
  }
) {}

const authenticators = [...(jwks === undefined ? [] : [Access.jwt({ jose, issuer, audience, keys: JSON.parse(jwks) })])]

run(
  Lithair.layerHttp({
    models: [Order],
    ...(how === "open" ? {} : { auth: { authenticators: [Access.apiKeys, ...authenticators] } })
  })
)
