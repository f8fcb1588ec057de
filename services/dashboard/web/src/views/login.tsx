import { useState } from "preact/hooks";
import { ApiError, postJson } from "../api/client";
import { Loading, Notice, Problem } from "../components/notice";
import { Link } from "../components/link";
import { View } from "../components/view";
import { plural } from "../logic/format";
import { afterLogIn, api } from "../logic/url";
import { useTick } from "../state/clock";
import { loadLogIn, loadMeta, logIn } from "../state/log-in";
import { navigate, useLocation } from "../state/router";
import { useStore } from "../state/store";

/** Where one logs in, with a token or as a user. */
export function Login() {
  const how = useStore(logIn);
  return (
    <View title="Log in" of={how?.kind === "users" ? "With your user and password" : how?.kind === "token" ? "With the dashboard’s token" : undefined}>
      {how === null ? (
        <Loading />
      ) : how.required ? (
        <Form kind={how.kind === "users" ? "users" : "token"} />
      ) : (
        <Notice tone="good" kind="no-log-in" title="No log-in is needed here" large>
          <p><Link href="/">To the figures</Link></p>
        </Notice>
      )}
    </View>
  );
}

function Form({ kind }: { kind: "token" | "users" }) {
  const { search } = useLocation();
  const [fields, setFields] = useState({ token: "", user: "", password: "" });
  const [error, setError] = useState<ApiError | null>(null);
  const [waitUntil, setWaitUntil] = useState(0);
  const [busy, setBusy] = useState(false);
  const now = useTick();
  const wait = Math.ceil((waitUntil - now) / 1000);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy || wait > 0) return;
    setBusy(true);
    try {
      await postJson(api.logIn, kind === "token" ? { token: fields.token.trim() } : { user: fields.user, password: fields.password });
      await Promise.all([loadLogIn(), loadMeta()]);
      navigate(afterLogIn(search), true);
    } catch (fault) {
      if (!(fault instanceof ApiError)) throw fault;
      setError(fault);
      if (fault.code === "too_many_requests") setWaitUntil(Date.now() + (fault.retryAfter ?? 60) * 1000);
    } finally {
      setBusy(false);
    }
  };
  const input = (name: keyof typeof fields, label: string, autocomplete: string, first: boolean) => {
    const common = {
      name, autocomplete, required: true, value: fields[name], ref: first ? focusOnce : null,
      onInput: (event: { currentTarget: HTMLInputElement }) => setFields({ ...fields, [name]: event.currentTarget.value }),
    };
    return (
      <label>
        {label}
        {name === "user" ? <input type="text" {...common} /> : <input type="password" {...common} />}
      </label>
    );
  };
  return (
    <form class="card login" method="post" onSubmit={(event) => void submit(event)}>
      <LogInError error={error} kind={kind} wait={wait} />
      {kind === "token" ? (
        input("token", "Token", "current-password", true)
      ) : (
        <>
          {input("user", "User", "username", true)}
          {input("password", "Password", "current-password", false)}
        </>
      )}
      <button type="submit" class="button primary" disabled={busy || wait > 0}>
        {busy ? "One moment…" : "Log in"}
      </button>
      <p class="note">You stay logged in for 12 hours. Who runs storepulse can give you {kind === "token" ? "the token" : "a user"}.</p>
    </form>
  );
}

function LogInError({ error, kind, wait }: { error: ApiError | null; kind: "token" | "users"; wait: number }) {
  if (error === null) return null;
  if (error.code === "unauthorized") {
    return (
      <Notice tone="bad" icon="lock" kind="wrong-log-in" title={kind === "token" ? "This token is wrong" : "User or password is wrong"}>
        <p>After five wrong ones within a minute the server makes you wait.</p>
      </Notice>
    );
  }
  if (error.code === "too_many_requests") {
    return (
      <>
        <span class="hidden" role="alert">{wait > 0 ? "Too many tries. Wait a little before the next." : "You can try again now."}</span>
        <Notice tone="warn" icon="lock" kind="too-many-tries" title="Too many tries" silent>
          <p>{wait > 0 ? `Try again in ${plural(wait, "second")}.` : "You can try again now."}</p>
        </Notice>
      </>
    );
  }
  return <Problem error={error} asOf={null} />;
}

const focused = new WeakSet<HTMLElement>();

/** The first field has the focus when the page comes; later it stays where the reader puts it. */
function focusOnce(element: HTMLInputElement | null): void {
  if (element === null || focused.has(element)) return;
  focused.add(element);
  element.focus();
}
