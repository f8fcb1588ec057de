import { useEffect, useState } from "preact/hooks";
import { ApiError } from "./api/client";
import { Guard } from "./components/guard";
import { Header } from "./components/header";
import { Link } from "./components/link";
import { Loading, Notice, Problem } from "./components/notice";
import { View } from "./components/view";
import { address } from "./logic/url";
import { backoff } from "./logic/health";
import { follow, unfollow } from "./state/live";
import { askForLogIn, loadLogIn, loadMeta, logIn, meta } from "./state/log-in";
import { useLocation } from "./state/router";
import { useStore } from "./state/store";
import { Funnel } from "./views/funnel";
import { Login } from "./views/login";
import { Now } from "./views/now";
import { Pipeline } from "./views/pipeline";
import { Product } from "./views/product";
import { Products } from "./views/products";
import { Session, Sessions } from "./views/sessions";
import { World } from "./views/world";

const META_MILLISECONDS = 60_000;

export function App() {
  const { route, filters } = useLocation();
  const version = useStore(meta)?.version;
  const known = version !== undefined;
  const error = useBeginning(route.view === "login");
  const within = route.view !== "login";
  useEffect(() => {
    if (within && known) follow(filters.country);
    else unfollow();
  }, [within, known, filters.country]);
  return (
    <>
      <a class="skip" href="#main">Skip to the figures</a>
      <Header />
      <main id="main" tabIndex={-1}>
        {within && !known ? (
          <View title="storepulse">{error === null ? <Loading /> : <Problem error={error} />}</View>
        ) : (
          <Guard key={route.view}>
            <Shown />
          </Guard>
        )}
      </main>
      <footer>
        <p>
          All times and days are UTC. Figures are exact unless they say that they are estimated.
          {version !== undefined && ` storepulse ${version}.`}
        </p>
      </footer>
    </>
  );
}

/** Learns who looks and what day it is; again and again until it is known, and then every minute. */
function useBeginning(atLogIn: boolean): ApiError | null {
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let ended = false;
    let attempt = 0;
    const load = async () => {
      try {
        if (logIn.get() === null) await loadLogIn();
        if (!atLogIn) await loadMeta();
        attempt = 0;
        setError(null);
        if (!ended) timer = setTimeout(() => void load(), META_MILLISECONDS);
      } catch (fault) {
        if (!(fault instanceof ApiError)) throw fault;
        if (ended) return;
        if (fault.code === "unauthorized") return askForLogIn();
        setError(fault);
        timer = setTimeout(() => void load(), Math.max((fault.retryAfter ?? 0) * 1000, backoff(attempt++)));
      }
    };
    void load();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [atLogIn]);
  return error;
}

function Shown() {
  const { route, filters } = useLocation();
  switch (route.view) {
    case "now": return <Now />;
    case "world": return <World />;
    case "products": return <Products />;
    case "product": return <Product key={route.id} id={route.id ?? ""} />;
    case "funnel": return <Funnel />;
    case "sessions": return <Sessions />;
    case "session": return <Session key={route.id} id={route.id ?? ""} />;
    case "pipeline": return <Pipeline />;
    case "login": return <Login />;
    default:
      return (
        <View title="No such page">
          <Notice tone="quiet" icon="empty" kind="no-such-page" title="There is nothing at this address" large>
            <p><Link href={address("now", null, filters)}>To Now</Link></p>
          </Notice>
        </View>
      );
  }
}
