// data.js
