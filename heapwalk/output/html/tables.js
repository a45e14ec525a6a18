// tables.js
