import './bellows-app.ts';
