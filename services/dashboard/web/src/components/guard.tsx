import { Component, type ComponentChildren } from "preact";
import { Notice } from "./notice";
import { View } from "./view";

/** A fault of the page itself ends one view, not all of it. */
export class Guard extends Component<{ children: ComponentChildren }, { fault: boolean }> {
  override state = { fault: false };

  override componentDidCatch(error: unknown): void {
    console.error(error);
    this.setState({ fault: true });
  }

  override render() {
    if (!this.state.fault) return this.props.children;
    return (
      <View title="storepulse">
        <Notice tone="bad" kind="page-fault" title="This view can’t be shown" large>
          <p>The page has a fault, or is of another version than the server. The shop and the pipeline don’t mind.</p>
          <p>
            <button type="button" class="button" onClick={() => location.reload()}>
              Load it again
            </button>
          </p>
        </Notice>
      </View>
    );
  }
}
