// memory.js
