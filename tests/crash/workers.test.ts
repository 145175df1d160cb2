import { laws } from './laws-of-workers.ts';
import { testLaws } from './testing.ts';

testLaws('whatever happens to a worker', laws, { 'a kill at any entry': 42 });
