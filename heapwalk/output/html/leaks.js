// leaks.js
