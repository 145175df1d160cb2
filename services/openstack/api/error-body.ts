// Reads what a service says went wrong. Each says it differently: Nova and Cinder wrap it in a fault's name, Neutron in
// NeutronError, Keystone in error, Placement in errors, Glance (and any proxy before them) in HTML or plain text.

export type ErrorBody = {
  /** What the cloud said, one line, at most 500 characters; empty if it said nothing. */
  readonly message: string;
  /** Neutron's exception (`SubnetInUse`), Nova's and Cinder's fault (`itemNotFound`), Keystone's title; may be empty. */
  readonly type: string;
};

/** Never throws: a body that cannot be read is an answer too. */
export function parseErrorBody(body: string, contentType = ''): ErrorBody {
  const text = body.trim();
  if (text === '') return { message: '', type: '' };
  if (text.startsWith('{') || text.startsWith('[') || contentType.includes('json')) {
    try {
      return fromJson(JSON.parse(text));
    } catch {
      return { message: oneLine(text), type: '' };
    }
  }
  return { message: oneLine(text.startsWith('<') ? fromHtml(text) : text), type: '' };
}

function fromJson(value: unknown): ErrorBody {
  if (typeof value === 'string') return { message: oneLine(value), type: '' };
  if (Array.isArray(value)) return value.length > 0 ? fromJson(value[0]) : { message: '', type: '' };
  if (!isRecord(value)) return { message: '', type: '' };
  const own = textOf(value.message) ?? textOf(value.detail);
  if (own !== undefined) {
    // Glance puts its page's markup into the JSON as well.
    const plain = /<br\s*\/?>/i.test(own) ? stripTags(own) : own;
    return { message: oneLine(plain), type: textOf(value.type) ?? textOf(value.title) ?? '' };
  }
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner === 'string') return { message: oneLine(inner), type: key };
    const found = fromJson(inner);
    if (found.message !== '') return { message: found.message, type: found.type || key };
  }
  return { message: '', type: '' };
}

/** WebOb's page: the status as title and heading, then the sentence that matters. */
function fromHtml(html: string): string {
  const body = /<body[^>]*>([\s\S]*?)<\/body>/i.exec(html)?.[1] ?? html;
  const afterHeading = body.replace(/<h1[^>]*>[\s\S]*?<\/h1>/i, ' ');
  const text = stripTags(afterHeading);
  return text === '' ? stripTags(body) : text;
}

function stripTags(html: string): string {
  return html
    .replace(/<[^>]*>/g, ' ')
    .replace(/&quot;/g, '"')
    .replace(/&#(x27|39);/g, "'")
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&nbsp;/g, ' ')
    .replace(/&amp;/g, '&')
    .trim();
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 500 ? `${line.slice(0, 499)}…` : line;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
