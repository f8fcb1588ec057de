import type { ComponentChildren } from "preact";
import type { Meta, ProductRow } from "../api/types";
import { Metered } from "../components/meter";
import type { Column } from "../components/table";
import { count, money, moneyExact, percent } from "../logic/format";

/** The columns that products, categories and the days of one product share. */
export function figureColumns<Row extends Omit<ProductRow, "id" | "name">>(shop: Meta, most: number): Column<Row>[] {
  return [
    { field: "interest_score", label: "Interest", hint: "Views, what goes into carts and out again, and what is bought, weighed", numeric: true, value: (row) => row.interest_score, cell: (row) => <Metered value={row.interest_score} most={most} color="events">{count(row.interest_score)}</Metered> },
    { field: "views_count", label: "Views", numeric: true, value: (row) => row.views_count, cell: (row) => count(row.views_count) },
    { field: "added_to_cart_quantity", label: "Into carts", hint: "Pieces put into carts", numeric: true, value: (row) => row.added_to_cart_quantity, cell: (row) => count(row.added_to_cart_quantity) },
    { field: "removed_from_cart_quantity", label: "Out again", hint: "Pieces taken out of carts", numeric: true, value: (row) => row.removed_from_cart_quantity, cell: (row) => count(row.removed_from_cart_quantity) },
    { field: "purchase_count", label: "Orders", numeric: true, value: (row) => row.purchase_count, cell: (row) => count(row.purchase_count) },
    { field: "total_items_purchased", label: "Pieces", hint: "Pieces bought", numeric: true, value: (row) => row.total_items_purchased, cell: (row) => count(row.total_items_purchased) },
    { field: "revenue_minor", label: "Revenue", numeric: true, value: (row) => row.revenue_minor, title: (row) => moneyExact(row.revenue_minor, shop), cell: (row) => money(row.revenue_minor, shop) },
    { field: "conversion_rate", label: "Conversion", hint: "Orders for each view", numeric: true, value: (row) => row.conversion_rate, cell: (row) => percent(row.conversion_rate, 2) },
  ];
}

export function productColumns<Row extends ProductRow>(shop: Meta, most: number, name: (row: Row) => ComponentChildren, label = "Product"): Column<Row>[] {
  return [{ field: "name", label, heads: true, value: (row) => row.id, cell: name }, ...figureColumns<Row>(shop, most)];
}
