import { useEffect, useState } from "preact/hooks";
import type { CategoryRow, Meta, Products as ProductFigures } from "../api/types";
import { NothingHere } from "../components/empty";
import { Link } from "../components/link";
import { Loading, Problem } from "../components/notice";
import { changes, ofText } from "../components/of";
import { CsvLink, Table, type Column } from "../components/table";
import { Card, View } from "../components/view";
import { count, plural } from "../logic/format";
import { fieldOf, sorted } from "../logic/sort";
import { address, api } from "../logic/url";
import { meta } from "../state/log-in";
import { useResource } from "../state/resource";
import { setParameters, useLocation } from "../state/router";
import { useStore } from "../state/store";
import { productColumns } from "./product-columns";
import { TrendingCards } from "./trending";

const DEFAULT_SORT = "-interest_score";
const LIMIT = 100;
const MORE = 500;

/** What people look at and buy. */
export function Products() {
  const { filters, search } = useLocation();
  const shop = useStore(meta);
  const given = new URLSearchParams(search);
  const q = given.get("q") ?? "";
  const sort = given.get("sort") ?? DEFAULT_SORT;
  const limit = given.get("limit") ?? String(LIMIT);
  const { data, stale, error } = useResource<ProductFigures>(api.products(filters, { q, sort, limit }), { live: changes(filters, shop?.today) });
  const nothing = data !== null && q === "" && data.products.length === 0 && data.categories.length === 0;
  return (
    <View title="Products" of={data === null ? undefined : ofText(data, data.country)} asOf={data?.as_of} busy={error === null && (data === null || stale)}>
      {error !== null && <Problem error={error} asOf={data?.as_of} />}
      {data === null || shop === null ? (
        error === null && <Loading />
      ) : (
        <>
          <TrendingCards trending={data.trending} country={data.country} asOf={data.as_of} shop={shop} />
          {nothing ? (
            <NothingHere from={data.from} to={data.to} country={data.country} />
          ) : (
            <>
              <ProductTable data={data} shop={shop} q={q} sort={sort} limit={limit} />
              <Categories data={data} shop={shop} />
            </>
          )}
        </>
      )}
    </View>
  );
}

function ProductTable({ data, shop, q, sort, limit }: { data: ProductFigures; shop: Meta; q: string; sort: string; limit: string }) {
  const { filters } = useLocation();
  const full = data.products.length >= Number(limit);
  return (
    <Card
      title="Products"
      note="Interest weighs views, what goes into carts and out again, and what is bought."
      actions={
        <div class="card-actions">
          <Search q={q} />
          <CsvLink href={api.products(filters, { q, sort, limit }, true)} of="products" />
        </div>
      }
    >
      <Table
        caption="Products"
        rows={data.products}
        columns={productColumns(shop, Math.max(1, ...data.products.map((row) => row.interest_score)), (row) => (
          <Link class="plain-link" href={address("product", row.id, filters)}>
            {row.name || row.id} <span class="quiet-text">{row.id}</span>
          </Link>
        ))}
        rowKey={(row) => row.id}
        rowTest={(row) => ({ testid: `product-row-${row.id}`, value: row.interest_score })}
        sort={sort}
        onSort={(next) => setParameters({ sort: next === DEFAULT_SORT ? null : next }, true)}
        empty={q === "" ? "No product had an event." : `No product with “${q}” in its name or id.`}
      />
      <p class="table-foot">
        {plural(data.products.length, "product")}{full && " shown; there may be more"}.
        {!data.is_complete && " Only the most interesting of each day were looked at, so products that few cared for may be missing."}
        {full && limit === String(LIMIT) && (
          <button type="button" class="button" onClick={() => setParameters({ limit: String(MORE) }, true)}>
            Show up to {count(MORE)}
          </button>
        )}
      </p>
    </Card>
  );
}

/** Searches while one types, a moment after the last letter. */
function Search({ q }: { q: string }) {
  const [text, setText] = useState(q);
  useEffect(() => setText(q), [q]);
  useEffect(() => {
    if (text === q) return;
    const timer = setTimeout(() => setParameters({ q: text }, true), 300);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label class="search">
      <span class="hidden">Search by name or id</span>
      <input type="search" placeholder="Search name or id" maxLength={100} value={text} onInput={(event) => setText(event.currentTarget.value)} />
    </label>
  );
}

function Categories({ data, shop }: { data: ProductFigures; shop: Meta }) {
  const [sort, setSort] = useState(DEFAULT_SORT);
  const most = Math.max(1, ...data.categories.map((row) => row.interest_score));
  const own = productColumns<CategoryRow>(shop, most, (row) => (
    <>
      {row.name || row.id} <span class="quiet-text">{row.id}</span>
    </>
  ), "Category");
  const columns: Column<CategoryRow>[] = own.flatMap((column) =>
    column.field !== "views_count"
      ? [column]
      : [
          { ...column, label: "Views", hint: "Of the category’s own page" },
          { field: "product_related_view_count", label: "Product views", hint: "Of its products’ pages", numeric: true, value: (row) => row.product_related_view_count, cell: (row) => count(row.product_related_view_count) },
        ],
  );
  return (
    <Card title="Categories">
      <Table
        caption="Categories"
        rows={sorted(data.categories, sort, fieldOf)}
        columns={columns}
        rowKey={(row) => row.id}
        rowTest={(row) => ({ testid: `category-row-${row.id}`, value: row.interest_score })}
        sort={sort}
        onSort={setSort}
        empty="No category had an event."
      />
    </Card>
  );
}
