// devtools-build.mjs IN OUT - bundles IN with the parts of DevTools that it imports, for node.
//
// The npm package holds DevTools' sources. A file that their own build generates (the list of
// languages) is missing, and node 20 lacks Promise.withResolvers: both are supplied here.
import {createRequire} from 'node:module';

const {build} = createRequire(import.meta.url)('esbuild');
const locales = {
  name: 'locales',
  setup(build) {
    build.onResolve({filter: /\/locales\.js$/}, () => ({path: 'locales', namespace: 'generated'}));
    build.onLoad({filter: /.*/, namespace: 'generated'}, () => ({contents: `
      export const LOCALES = ['en-US'], BUNDLED_LOCALES = ['en-US'], DEFAULT_LOCALE = 'en-US';
      export const REMOTE_FETCH_PATTERN = '', LOCAL_FETCH_PATTERN = '';`}));
  },
};
const withResolvers = `Promise.withResolvers ??= function() {
  let resolve, reject;
  const promise = new Promise((a, b) => { resolve = a; reject = b; });
  return {promise, resolve, reject};
};`;
await build({
  entryPoints: [process.argv[2]],
  outfile: process.argv[3],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'es2022',
  logLevel: 'warning',
  nodePaths: [process.env.NODE_PATH],
  banner: {js: withResolvers},
  plugins: [locales],
});
