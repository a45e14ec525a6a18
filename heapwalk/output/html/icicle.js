// icicle.js
