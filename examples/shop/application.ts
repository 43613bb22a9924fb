/** The shop as one value, for its nodes and for its tests. */
import { advanceOrder, cancelOrder, placeOrder } from "./commands.ts"
import { confirmation } from "./confirmation.ts"
import { Order, Product, ProductView } from "./models.ts"
import { orderHistory } from "./orderHistory.ts"
import { sales } from "./sales.ts"

export const application = {
  models: [Product, Order, ProductView],
  commands: [placeOrder, advanceOrder, cancelOrder],
  projections: [sales, orderHistory],
  reactions: [confirmation]
}
