/** The server's message of a parameter begins with its name, which the page has already written: what comes after it. */
export function afterName(name: string, message: string): string {
  if (name === "") return message;
  return message.startsWith(`${name} `) ? message.slice(name.length) : `: ${message}`;
}
