import { useState } from "preact/hooks";
import type { Meta, Session as SessionFigures, SessionEntry } from "../api/types";
import { Icon } from "../components/icons";
import { Link } from "../components/link";
import { Loading, Notice, Problem } from "../components/notice";
import { Card, View } from "../components/view";
import { clock, count, countryName, duration, moment, money, moneyExact, plural } from "../logic/format";
import { entryTitle, listName, outline, pause } from "../logic/story";
import { address, api } from "../logic/url";
import { meta } from "../state/log-in";
import { useResource } from "../state/resource";
import { navigate, useLocation } from "../state/router";
import { useStore } from "../state/store";

function Find({ id }: { id: string }) {
  const { filters } = useLocation();
  const [text, setText] = useState(id);
  const submit = (event: Event) => {
    event.preventDefault();
    if (text.trim() !== "") navigate(address("session", text.trim(), filters));
  };
  return (
    <form class="find" role="search" onSubmit={submit}>
      <label>
        Id of a session
        <input type="search" name="id" autocomplete="off" spellcheck={false} required value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <button type="submit" class="button primary">Find</button>
    </form>
  );
}

/** Where a session is looked for. */
export function Sessions() {
  return (
    <View title="Sessions" of="The story of one shopper’s visit">
      <Find id="" />
      <Notice tone="quiet" kind="how-to-find" title="Which id?" large>
        <p>
          The id is the field <code>session_id</code> of each event, and the key of its message in Kafka. A dead letter has it as its
          key, too. A story is complete some seconds after the session has ended.
        </p>
      </Notice>
    </View>
  );
}

/** The story of one session. */
export function Session({ id }: { id: string }) {
  const shop = useStore(meta);
  const { data, stale, error } = useResource<SessionFigures>(api.session(id), { live: true, retryNotFound: true });
  const missing = error?.code === "not_found";
  return (
    <View title={`Session ${id}`} asOf={data?.as_of} busy={error === null && (data === null || stale)}>
      <Find id={id} />
      {missing && data === null && (
        <Notice tone="quiet" icon="empty" kind="no-such-session" title="There is no such session" large>
          <p>
            No story is kept under <code>{id}</code>. Check the id; it has to be whole. If the session is still going on or has just ended, its
            story may not be written yet: the page asks again by itself.
          </p>
        </Notice>
      )}
      {error !== null && !missing && <Problem error={error} asOf={data?.as_of} />}
      {data === null || shop === null ? error === null && <Loading /> : <Story session={data} shop={shop} />}
    </View>
  );
}

function Story({ session, shop }: { session: SessionFigures; shop: Meta }) {
  const place = session.location;
  const facts: [string, string][] = [
    ["Began", moment(session.start_time)],
    ["Ended", session.end_time === null ? "not yet, or not known" : moment(session.end_time)],
    ["Lasted", duration(session.duration_seconds)],
    ["From", place === null ? "–" : [place.city, place.state, countryName(place.country)].filter(Boolean).join(", ")],
    ["User", session.user_id ?? "–"],
    ["Browser", session.agent ?? "–"],
  ];
  return (
    <>
      <Card title="In short" note={outline(session)}>
        <dl class="short">
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </Card>
      <Card title="Story" note="Times in UTC">
        {session.omitted.length > 0 && (
          <Notice tone="warn" kind="omitted" title="Not all of it is kept">
            <p>Left out: {session.omitted.map((one) => `${count(one.count)} ${listName(one.list)}`).join(", ")}.</p>
          </Notice>
        )}
        <ol class="story">
          {session.entries.map((entry, index) => (
            <Entry key={index} entry={entry} pause={pause(session.entries, index)} shop={shop} />
          ))}
        </ol>
        {session.entries.length === 0 && <p class="none">Nothing of it is kept.</p>}
      </Card>
    </>
  );
}

function Entry({ entry, pause: after, shop }: { entry: SessionEntry; pause: string | null; shop: Meta }) {
  const { filters } = useLocation();
  const { purchase } = entry;
  return (
    <li class={entry.kind} data-testid="session-entry" data-value={entry.kind}>
      <span class="story-mark">
        <Icon name={entry.kind} size={14} />
      </span>
      <div class="story-text">
        <p>
          {entryTitle(entry.kind)}{" "}
          {entry.quantity !== undefined && <>{count(entry.quantity)} × </>}
          {entry.product !== undefined && <Link href={address("product", entry.product, filters)}>{entry.product}</Link>}
          {entry.category !== undefined && (entry.product === undefined ? <b>{entry.category}</b> : <span class="quiet-text"> in {entry.category}</span>)}
          {purchase !== undefined && <b title={moneyExact(purchase.total_minor, shop)}>for {money(purchase.total_minor, shop)}</b>}
        </p>
        {purchase !== undefined && <Purchase purchase={purchase} shop={shop} />}
      </div>
      <p class="story-time">
        <time dateTime={entry.time} title={moment(entry.time)}>{clock(entry.time)}</time>
        {after !== null && <span class="quiet-text">{after}</span>}
      </p>
    </li>
  );
}

function Purchase({ purchase, shop }: { purchase: NonNullable<SessionEntry["purchase"]>; shop: Meta }) {
  const { filters } = useLocation();
  return (
    <div class="receipt">
      <ul>
        {purchase.items.map((item, index) => (
          <li key={index}>
            <span>{count(item.quantity)} × <Link href={address("product", item.product, filters)}>{item.product}</Link></span>
            <span class="num">{money(item.subtotal_minor, shop)}</span>
          </li>
        ))}
        <li class="total">
          <span>{plural(purchase.items.reduce((sum, item) => sum + item.quantity, 0), "piece")}{purchase.discount_minor > 0 && `, ${money(purchase.discount_minor, shop)} discount`}{purchase.shipping_minor > 0 && `, ${money(purchase.shipping_minor, shop)} shipping`}</span>
          <span class="num">{money(purchase.total_minor, shop)}</span>
        </li>
      </ul>
      <p class="quiet-text">
        Paid by {purchase.payment_method.replaceAll("_", " ")}; to {[purchase.city, purchase.state, countryName(purchase.country)].filter(Boolean).join(", ")}; expected {moment(purchase.estimated_delivery)}
      </p>
    </div>
  );
}
