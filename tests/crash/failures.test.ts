import { laws } from './laws-of-failure.ts';
import { testLaws } from './testing.ts';

// When every answer is lost, each call waits for what never comes.
testLaws('whatever the cloud does', laws, { 'every answer was lost': 5, 'a step that failed once': 42 });
