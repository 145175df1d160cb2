import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '#common/errors.ts';
import { routesOf } from './routes.ts';
import type { Message, Method } from './schema.ts';
import { testSchema } from './testing/world.ts';
import { statusOfSuccess, successStatuses } from './transcode.ts';

const routes = routesOf(testSchema);

function methodOf(path: string): Method {
  const method = testSchema.methods.find((one) => one.path === path);
  assert(method, path);
  return method;
}

type Parts = { params?: Record<string, string>; query?: string; body?: unknown; binding?: number };

function read(path: string, { params = {}, query = '', body, binding = 0 }: Parts): Message {
  const method = methodOf(path);
  const route = routes.find((one) => one.method === method && one.binding === method.bindings[binding]);
  assert(route);
  const message = route.transcoder.read({ params, query: new URLSearchParams(query), body });
  // What counts is what arrives.
  return method.definition.requestDeserialize(method.definition.requestSerialize(message));
}

function mistakesOf(path: string, parts: Parts): Record<string, string> {
  try {
    read(path, parts);
  } catch (error) {
    assert(error instanceof Failure);
    assert.equal(error.code, 'INVALID_ARGUMENT');
    return Object.fromEntries(error.violations.map(({ field, message }) => [field, message]));
  }
  return {};
}

function write(path: string, message: Message): unknown {
  const method = methodOf(path);
  const route = routes.find((one) => one.method === method);
  assert(route);
  const { responseSerialize, responseDeserialize } = method.definition;
  return route.transcoder.write(responseDeserialize(responseSerialize(message)));
}

const BOOK = '/testing.library.v1.LibraryService/CreateBook';
const BOOKS = '/testing.library.v1.LibraryService/ListBooks';
const UPDATE = '/testing.library.v1.LibraryService/UpdateBook';
const SUBNET = '/pucp.openstack.v1.NetworkingService/UpdateSubnet';
const SLICE = '/pucp.slice.v1.SliceService/CreateSlice';

test('the slice of the documentation is understood', () => {
  const body = {
    name: 'test-openstack-slice',
    description: 'Test slice for OpenStack',
    infrastructure: 'openstack',
    nodes: [{ name: 'vm1', image: 'ubuntu-20.04', flavor: 'small' }],
    networks: [{ name: 'test-net', cidr: '192.168.100.0/24', network_type: 'private' }],
  };
  assert.deepEqual(read(SLICE, { body }), {
    name: 'test-openstack-slice',
    description: 'Test slice for OpenStack',
    infrastructure: 2,
    nodes: [{ name: 'vm1', image: 'ubuntu-20.04', flavor: 'small' }],
    networks: [{ name: 'test-net', cidr: '192.168.100.0/24', network_type: 1 }],
  });
});

test('fields can be written in snake_case and in lowerCamelCase', () => {
  assert.deepEqual(read(SLICE, { body: { templateId: 't', nodes: [{ internetAccess: true }] } }), {
    template_id: 't',
    nodes: [{ internet_access: true }],
  });
  assert.deepEqual(mistakesOf(SLICE, { body: { templateId: 't', template_id: 't' } }), {
    template_id: 'is given twice, also as "template_id"',
  });
});

test('a list set to nothing in a PATCH is changed to nothing', () => {
  const params = { id: 's1' };
  assert.deepEqual(read(SUBNET, { params, body: { hostRoutes: [], name: 'a', enable_dhcp: null } }), {
    id: 's1',
    name: 'a',
    update_mask: ['host_routes', 'name'],
  });
  assert.deepEqual(read(SUBNET, { params, body: { host_routes: [], update_mask: ['name'] } }).update_mask, [
    'name',
  ]);
});

test('an enum can be written as active, ACTIVE, with its prefix or as a number', () => {
  for (const genre of ['non_fiction', 'NON_FICTION', 'BOOK_GENRE_NON_FICTION', 'Non_Fiction', 2, '2'])
    assert.deepEqual(read(BOOK, { body: { genre } }), { genre: 2 }, String(genre));
  assert.deepEqual(read(BOOK, { body: { genre: '' } }), { genre: 0 });
  assert.deepEqual(mistakesOf(BOOK, { body: { genre: 'ficton', size: 7, more_genres: [true] } }), {
    genre: 'expected one of fiction, non_fiction, got "ficton"; did you mean "fiction"?',
    size: 'expected one of small, big, got 7',
    'more_genres[0]': 'expected one of fiction, non_fiction, got true',
  });
});

test('values of the wrong kind are named with their place, all at once', () => {
  const body = {
    name: 5,
    pages: 1.5,
    copies: -1,
    barcode: 'x',
    price: 'cheap',
    lendable: 'yes',
    cover: '***',
    tags: 'a',
    chapters: [{ title: 'ok' }, 'x', { pages: 2 ** 31 }],
    notes: { p1: 1, 'a b': null },
    by_name: { one: { title: [] } },
    printed_at: '2026-02-30T00:00:00Z',
    reading_time: '5 minutes',
    sequel: [],
  };
  assert.deepEqual(mistakesOf(BOOK, { body }), {
    name: 'expected a string, got a number',
    pages: 'expected a whole number, got a number',
    copies: 'expected a whole number from 0 to 4294967295, got a number',
    barcode: 'expected a whole number, got a string',
    price: 'expected a number, got a string',
    lendable: 'expected true or false, got a string',
    cover: 'expected a base64 string, got a string',
    tags: 'expected a list, got a string',
    'chapters[1]': 'expected an object, got a string',
    'chapters[2].pages': 'expected a whole number from -2147483648 to 2147483647, got a number',
    'notes.p1': 'expected a string, got a number',
    'notes["a b"]': 'expected a string, got null',
    'by_name.one.title': 'expected a string, got a list',
    printed_at: 'expected a time such as 2026-01-31T12:00:00Z (RFC 3339), got a string',
    reading_time: 'expected a duration in seconds such as 1.5s, got a string',
    sequel: 'expected an object, got a list',
  });
});

test('a body that is no object is said to be so', () => {
  for (const body of [[], 'x', 5, true])
    assert.match(mistakesOf(BOOK, { body }).body ?? '', /^expected an object, got/);
});

test('every unknown field is named, with what it may have meant', () => {
  const body = {
    nam: 'x',
    nodes: [{ flavour: 'small', imagen: 'u', completely_different: 1 }],
    conections: [],
  };
  assert.deepEqual(mistakesOf(SLICE, { body }), {
    nam: 'unknown field; did you mean "name"?',
    'nodes[0].flavour': 'unknown field; did you mean "flavor"?',
    'nodes[0].imagen': 'unknown field; did you mean "image"?',
    'nodes[0].completely_different': 'unknown field',
    conections: 'unknown field; did you mean "connections"?',
  });
});

test('a thousand mistakes do not make an answer of a thousand lines', () => {
  const body = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`unknown-${index}`, 1]));
  const mistakes = mistakesOf(BOOK, { body });
  assert.equal(Object.keys(mistakes).length, 51);
  assert.equal(mistakes.body, 'and 950 more mistakes');
});

test('null means not set, but not inside a list', () => {
  assert.deepEqual(read(BOOK, { body: { name: null, tags: null, printed_at: null, subtitle: null } }), {});
  assert.deepEqual(mistakesOf(BOOK, { body: { tags: ['a', null] } }), {
    'tags[1]': 'expected a string, got null',
  });
});

test('nesting without end is refused', () => {
  let body: Message = {};
  for (let depth = 0; depth < 40; depth += 1) body = { sequel: body };
  const [message] = Object.values(mistakesOf(BOOK, { body }));
  assert.equal(message, 'is nested more than 32 levels deep');
});

test('texts that are no Unicode and keys that would change objects are refused', () => {
  const body = JSON.parse('{"name": "\\ud800", "notes": {"__proto__": "x", "\\ud800": "y"}}');
  assert.deepEqual(mistakesOf(BOOK, { body }), {
    name: 'is not well-formed Unicode',
    'notes.__proto__': 'cannot be used as a key',
    'notes["\\ud800"]': 'is not well-formed Unicode',
  });
});

test('of fields that exclude each other only one may be given', () => {
  assert.deepEqual(mistakesOf(BOOK, { body: { on_shelf: 'a', with_reader: {} } }), {
    with_reader: 'cannot be given together with "on_shelf"',
  });
});

test('times, durations, long numbers and bytes keep their values both ways', () => {
  const body = {
    barcode: '9007199254740993',
    cover: 'aGk_',
    printed_at: '2026-01-31T12:00:00.25-05:00',
    reading_time: '-1.5s',
    price: '2.5',
    pages: '12',
  };
  const written = write(BOOK, read(BOOK, { body })) as Message;
  assert.equal(written.barcode, '9007199254740993');
  assert.equal(written.cover, 'aGk/');
  assert.equal(written.printed_at, '2026-01-31T17:00:00.250Z');
  assert.equal(written.reading_time, '-1.500s');
  assert.equal(written.price, 2.5);
  assert.equal(written.pages, 12);
});

test('an answer prints every field: defaults, empty lists and maps, null for what is not set', () => {
  assert.deepEqual(write(BOOK, {}), {
    name: '',
    shelf: '',
    genre: null,
    size: 'small',
    pages: 0,
    copies: 0,
    barcode: '0',
    price: 0,
    lendable: false,
    cover: '',
    tags: [],
    chapters: [],
    notes: {},
    by_name: {},
    subtitle: null,
    printed_at: null,
    reading_time: null,
    sequel: null,
    more_genres: [],
  });
});

test('an answer prints enums in short, the chosen one of several, and what is set', () => {
  const written = write(BOOK, {
    genre: 2,
    more_genres: [1, 0, 9],
    with_reader: {},
    subtitle: '',
    chapters: [{ title: 'One' }],
    by_name: { a: { pages: 3 } },
    price: Number.NaN,
  }) as Message;
  assert.equal(written.genre, 'non_fiction');
  assert.deepEqual(written.more_genres, ['fiction', null, 9]);
  assert.deepEqual(written.with_reader, { name: '' });
  assert.equal('on_shelf' in written, false);
  assert.equal(written.subtitle, '');
  assert.deepEqual(written.chapters, [{ title: 'One', pages: 0 }]);
  assert.deepEqual(written.by_name, { a: { title: '', pages: 3 } });
  assert.equal(written.price, 'NaN');
});

test('a list is the whole body where the proto says so', () => {
  assert.deepEqual(write(BOOKS, {}), []);
  const [first] = write(BOOKS, { books: [{ name: 'a' }], next_page_token: 't' }) as Message[];
  assert.equal(first?.name, 'a');
});

test('a query gives nested, repeated, enum, time and number fields', () => {
  const query =
    'filter.shelf=a%20b&filter.tags=x&filter.tags=y&genres=fiction&genres=2&page_size=10&lendable=false' +
    '&after=2026-01-31T12:00:00Z&maxPrice=2.5';
  assert.deepEqual(read(BOOKS, { query }), {
    filter: { shelf: 'a b', tags: ['x', 'y'] },
    genres: [1, 2],
    page_size: 10,
    lendable: false,
    after: { seconds: '1769860800', nanos: 0 },
    max_price: 2.5,
  });
});

test('mistakes in a query are named', () => {
  const query =
    'page_size=ten&page_token=a&page_token=b&genres=x&filter.shelve=a&filter=b&lendable=perhaps&q=1';
  assert.deepEqual(mistakesOf(BOOKS, { query }), {
    page_size: 'expected a whole number, got a string',
    page_token: 'is given 2 times, but takes one value',
    'genres[0]': 'expected one of fiction, non_fiction, got "x"',
    'filter.shelve': 'unknown query parameter; did you mean "filter.shelf"?',
    filter: 'unknown query parameter',
    lendable: 'expected true or false, got a string',
    q: 'unknown query parameter',
  });
});

test('the body can be one field, while path and query give others', () => {
  const parts = { params: { 'book.shelf': 's', 'book.name': 'b' }, query: 'reason=new' };
  assert.deepEqual(read(UPDATE, { ...parts, body: { pages: 3 } }), {
    book: { shelf: 's', name: 'b', pages: 3 },
    reason: 'new',
  });
  assert.deepEqual(read(UPDATE, parts), { book: { shelf: 's', name: 'b' }, reason: 'new' });
  assert.deepEqual(mistakesOf(UPDATE, { ...parts, query: 'book.pages=3' }), {
    'book.pages': 'is not for the query: the path or the body gives it',
  });
});

test('a body that contradicts the path is refused', () => {
  const parts = { params: { 'book.name': 'b' }, binding: 1 };
  assert.deepEqual(read(UPDATE, { ...parts, body: { book: { name: 'b' } } }), { book: { name: 'b' } });
  assert.deepEqual(mistakesOf(UPDATE, { ...parts, body: { book: { name: 'other' } } }), {
    'book.name': 'says something else than the path; leave it out',
  });
  assert.deepEqual(mistakesOf(UPDATE, { ...parts, query: 'reason=x' }), {
    reason: 'is not for the query: the path or the body gives it',
  });
});

test('a path value is checked like any other', () => {
  assert.deepEqual(
    mistakesOf('/testing.library.v1.LibraryService/LendBook', { params: { number: 'seven' } }),
    {
      number: 'expected a whole number, got a string',
    },
  );
});

test('a query may say that a request is only to be checked, though the whole message is its body', () => {
  const CREATE = '/pucp.slice.v1.SliceService/CreateSlice';
  assert.deepEqual(read(CREATE, { query: 'validate_only=true', body: { name: 'lab' } }), {
    name: 'lab',
    validate_only: true,
  });
  const both = { query: 'validate_only=true', body: { validate_only: true } };
  assert.deepEqual(mistakesOf(CREATE, both), {
    validate_only: 'is given by the body as well; say it once',
  });
  assert.deepEqual(mistakesOf(CREATE, { query: 'name=lab&validate=true' }), {
    name: 'is not for the query: the path or the body gives it',
    validate: 'unknown query parameter',
  });
});

test('what is only checked is no 201', () => {
  const create = methodOf('/pucp.slice.v1.SliceService/CreateSlice');
  assert.deepEqual(successStatuses(create), [201, 200]);
  assert.equal(statusOfSuccess(create, { validate_only: true }), 200);
  assert.equal(statusOfSuccess(create, {}), 201);
});
